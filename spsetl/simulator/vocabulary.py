"""The names, policies, commands and titles that the world's sessions are made of."""

from typing import Final

from spsetl.simulator.spec import spread

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
KEY_ALPHABET: Final = ALPHABET + "_-"

PROTOCOLS: Final = spread(("SSH", 50), ("RDP", 28), ("ICA", 5), ("TELNET", 4), ("VNC", 4), ("HTTP", 5), ("MSSQL", 4))
PORTS: Final = {"SSH": 22, "RDP": 3389, "ICA": 1494, "TELNET": 23, "VNC": 5900, "HTTP": 80, "MSSQL": 1433}
TERMINAL_PROTOCOLS: Final = ("SSH", "TELNET")

NODES: Final = ("6fed7872-065e-41d2-9cfa-000000000001", "6fed7872-065e-41d2-9cfa-000000000002")
USERS: Final = (
    "amara", "bjorn", "chen", "dalia", "eduardo", "fatima", "goran", "hana", "ivan", "jolan", "kofi", "leila",
    "mateo", "noor", "olga", "piotr", "quinn", "rosa", "sanjay", "tove", "umar", "vera", "wanda", "ximena",
    "yusuf", "zora", "backup_svc", "deploy_svc", "monitor_svc", "scanner_svc",
)  # fmt: skip
HOSTILE_USERS: Final = (
    "<script>alert('audit')</script>",
    'O\'Neil, "Pat"',
    "two\nlines\r\nand a tab\t.",
    "名前 ümlaut 😀",
    "=cmd|' /C calc'!A0",
    "back\\slash; drop table sessions; --",
    "comma,comma,,",
    " spaces around ",
    "null",
    "{{7*7}}%s%00",
)
ACCOUNTS: Final = ("root", "admin", "oracle", "postgres", "Administrator", "svc_deploy", "Windows User", "sa")
DOMAINS: Final = ("corp.example.com", "lab.example.com")
SUBNETS: Final = (10, 20, 30, 40)
SERVER_NAMES: Final = ("db", "web", "app", "mail", "file", "jump", "build", "bill")
AUTH_METHODS: Final = ("password", "publickey", "kerberos", "gssapi", "keyboard-interactive")
CHANNEL_POLICIES: Final = ("shell-only", "all_with_content", "all", "gui-no-clipboard")
DENY_REASONS: Final = ("Channel policy", "Access time", "Four eyes rejected")
NETWORKS: Final = ("default", "dmz")

REFUSALS: Final = ("AUTH_FAIL", "DENY", "FAIL", "GW_AUTH_FAIL", "KEY_ERROR", "USER_MAPPING_FAIL")
ACCEPTANCES: Final = ("Accepted", "ACCEPT", "accept")
ALGORITHMS: Final = ("keystroke", "command", "hostlogin", "logintime", "fis", "windowtitle")
TAGS: Final = ("privileged", "review", "pci", "night shift")
INTERESTING: Final = ("sudo", "ls", "vim", "PowerShell", "passwd", "regedit", "tcpdump", "visudo")

COMMANDS: Final = (
    "ls -la", "cd /var/log", "sudo systemctl restart nginx", "tail -f app.log", "cat /etc/hosts", "vim config.yml",
    "ps aux | grep java", "df -h", "sudo -i", "passwd", "rm -rf /tmp/build", "scp a.txt b:/tmp", "psql -c 'select 1'",
    'echo "quoted, with comma"', "grep -R 'naïve' .", "man sudo", "tar czf x.tgz .", "crontab -e", "exit",
)  # fmt: skip
TITLES: Final = (
    "Server Manager", "Event Viewer", "Registry Editor", "Administrator: Windows PowerShell", "Task Manager",
    "Services", "Untitled - Notepad", "Über <b>Fenster</b>", "Computer Management",
)  # fmt: skip
REQUESTS: Final = ("GET /login", "POST /login", "GET /reports?id=7&x=y", "DELETE /users/12", "GET /static/app.js")
FILES: Final = ("/srv/data/export.csv", "/home/ops/notes.txt", "/srv/a, b.bin")
STATEMENTS: Final = ("select name from sys.databases", "select count(*) from dbo.orders", "exec sp_who2")

RULES: Final = ("PatternMatcherRule", "ForbiddenCommands", "CardNumbers")
PATTERNS: Final = ("sudo", "passwd", "rm -rf", r"\bvisudo\b")
