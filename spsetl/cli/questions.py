"""Questions to the person at the terminal. All of it goes to standard error; nothing secret is shown."""

import getpass
import sys
import warnings
from collections.abc import Callable
from typing import TypeVar
from unicodedata import category

from pydantic import SecretStr

from spsetl.errors import SpsetlError, UsageError

T = TypeVar("T")


def has_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(text: str = "") -> None:
    """A line to the person."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str, default: str = "") -> str:
    """One line, or the default for an empty one.

    Raises:
        EOFError: The input has ended.
    """
    print(f"{question} [{default}]: " if default else f"{question}: ", end="", file=sys.stderr, flush=True)
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise UsageError("what was typed is no UTF-8 text; nothing was written") from None
    if not line:
        say()
        raise EOFError
    return line.strip() or default


def ask_until(question: str, default: str, read: Callable[[str], T]) -> T:
    """An answer that can be read; each that cannot is told why, and asked for again.

    Raises:
        EOFError: The input has ended.
    """
    while True:
        answer = ask(question, default)
        if not answer.isprintable():
            say("  Only printable text, please.")
            continue
        try:
            return read(answer)
        except SpsetlError as error:
            say(f"  {error}")


def ask_yes(question: str, *, default: bool) -> bool:
    """Yes or no; whatever is neither is asked for again.

    Raises:
        EOFError: The input has ended.
    """
    answers = {"y": True, "yes": True, "n": False, "no": False}

    def read(answer: str) -> bool:
        if answer.lower() not in answers:
            raise UsageError("Please answer yes or no.")
        return answers[answer.lower()]

    return ask_until(question, "yes" if default else "no", read)


def ask_choice(question: str, words: tuple[str, ...], read: Callable[[str], T]) -> T:
    """What can be read of one of the words, of the first by default.

    Raises:
        EOFError: The input has ended.
    """
    choices = ", ".join(words)

    def read_word(answer: str) -> T:
        if answer not in words:
            raise UsageError(f"Please answer one of {choices}.")
        return read(answer)

    return ask_until(f"{question}: {choices}", words[0], read_word)


def ask_password(question: str) -> SecretStr:
    """A password, which is not shown while it is typed.

    Raises:
        EOFError: The input has ended.
        UsageError: The terminal cannot hide what is typed.
    """
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                typed = getpass.getpass(f"{question}: ", stream=sys.stderr)
        except getpass.GetPassWarning:
            raise UsageError("this terminal cannot hide a password; write it into a file: --password-file") from None
        if typed and not set(map(category, typed)) & {"Cc", "Cs"}:
            return SecretStr(typed)
        say("  It cannot be empty, or have control characters.")
