"""Every setting, read from the environment (or .env beside manage.py).

The defaults run one instance on this machine, on loopback. .env.example lists each
variable. A PAPERCLIP_URL that starts with https:// turns on the settings of production.
"""

import gc
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import environ

from paperclip import home

# Each process begins with some 1,700 modules that nobody lets go of: to look through
# them for garbage after every 700 objects is a fifth of the time it takes to start.
gc.set_threshold(20_000, 20, 20)

BASE_DIR = home.BASE_DIR
env = environ.Env()
ENV_FILE = env("PAPERCLIP_ENV_FILE", default=str(BASE_DIR / ".env"))
environ.Env.read_env(ENV_FILE)
# What no agent may read, wherever its program may look.
SECRET_FILES = [ENV_FILE, str(BASE_DIR / ".env")]

# --- Where this instance is ------------------------------------------------------

HOME = home.path()
PORT = env.int("PAPERCLIP_PORT", default=3100)
BIND = env("PAPERCLIP_BIND", default="127.0.0.1")
URL = env("PAPERCLIP_URL", default=f"http://localhost:{PORT}").rstrip("/")
HTTPS = URL.startswith("https://")
# Where agents' programs find the API: straight at our socket, not through the proxy.
_HOST = "127.0.0.1" if BIND in ("0.0.0.0", "::", "localhost") else BIND  # noqa: S104
_HOST = f"[{_HOST}]" if ":" in _HOST else _HOST
API_URL = env("PAPERCLIP_API_URL", default=f"http://{_HOST}:{PORT}")
# The model gateway, which every model call of every agent goes through.
GATEWAY_PORT = env.int("PAPERCLIP_GATEWAY_PORT", default=PORT + 1)
GATEWAY_BIND = env("PAPERCLIP_GATEWAY_BIND", default="127.0.0.1")
GATEWAY_URL = env(
    "PAPERCLIP_GATEWAY_URL", default=f"http://127.0.0.1:{GATEWAY_PORT}"
).rstrip("/")
# What an agent uses that names no model of its own.
DEFAULT_MODEL = env("PAPERCLIP_MODEL", default="gemini/gemini-flash-lite-latest")
# The server of that model, when it is one of your own.
MODEL_API_BASE = env("PAPERCLIP_MODEL_API_BASE", default="")
# What a first start founds: the company of templates/digiton, or an empty one.
FIRST_COMPANY = env("PAPERCLIP_FIRST_COMPANY", default="digiton")
REHEARSAL_SEED = env.int("PAPERCLIP_REHEARSAL_SEED", default=1)
# So many seconds a provider may take for one answer.
MODEL_TIMEOUT = env.float("PAPERCLIP_MODEL_TIMEOUT", default=300)

# So many agents may agents hire for one manager within a day.
HIRES_PER_DAY = env.int("PAPERCLIP_HIRES_PER_DAY", default=5)

DEBUG = env.bool("PAPERCLIP_DEBUG", default=False)
SECRET_KEY = env("PAPERCLIP_SECRET_KEY", default="") or home.secret("django")
# What companies' secrets are enclosed with; without it, the key in the home.
SECRETS_MASTER_KEY = env("PAPERCLIP_SECRETS_MASTER_KEY", default="")
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    urlsplit(URL).hostname or "localhost",
    *env.list("PAPERCLIP_ALLOWED_HOSTS", default=[]),
]
CSRF_TRUSTED_ORIGINS = [URL]

# --- What it is made of ----------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "paperclip.console_app.ConsoleConfig",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "paperclip",
    "agents",
    "issues",
    "marketing",
]
# Workers draw no pages: a third of their memory would be the console's.
PAGES = {
    "unfold.apps.BasicAppConfig",
    "paperclip.console_app.ConsoleConfig",
    "django_htmx",
}
if not env.bool("PAPERCLIP_CONSOLE", default=True):
    INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in PAGES]
MIDDLEWARE = [
    "paperclip.policy.content_policy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "paperclip.urls"
WSGI_APPLICATION = "paperclip.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "paperclip.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
STATIC_URL = "static/"
# The assets come from installed packages; nothing has to be collected before a start.
WHITENOISE_USE_FINDERS = True

# --- Database and broker ---------------------------------------------------------


def embedded(server: str, scheme: str, path: str) -> str:
    """The address of an embedded server: its port is known once `up` has started it."""
    password = quote(home.secret(server), safe="")
    port = home.port_of(server) or 1  # nothing listens on 1: connecting is refused
    return f"{scheme}{password}@127.0.0.1:{port}{path}"


SERVING = Path(sys.argv[0]).name != "manage.py"
POOL_SIZE = env.int("PAPERCLIP_DATABASE_POOL", default=20)
DATABASE_URL = env("DATABASE_URL", default="") or embedded(
    "postgres", "postgres://paperclip:", "/paperclip"
)
DATABASES = {
    "default": {
        **environ.Env.db_url_config(DATABASE_URL),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # Celery closes connections around every task and a waiting run lets go of
            # its own: the pool makes both cheap. A command needs one connection, and
            # wants to hear at once when nobody answers.
            "pool": {"min_size": 1, "max_size": POOL_SIZE, "timeout": 5}
            if SERVING
            else False,
            "connect_timeout": 5,
            # Django's cursors never prepare a statement; paperclip.sql says so itself.
            "prepare_threshold": sys.maxsize,
        },
    }
}

REDIS_URL = env("REDIS_URL", default="") or embedded("valkey", "redis://:", "/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "max_retries": 1,
}
# A message is a doorbell: acknowledged early, one at a time, no result, no second try.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "runs"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- People ----------------------------------------------------------------------

SESSION_ENGINE = "paperclip.sessions"
# Two instances on one machine differ by port only, which cookies do not look at.
SESSION_COOKIE_NAME = f"paperclip_session_{PORT}"
CSRF_COOKIE_NAME = f"paperclip_csrf_{PORT}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# The health check and the agents on this machine call the bound socket without TLS.
SECURE_REDIRECT_EXEMPT = [r"^api/"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "/login/"
LANGUAGE_CODE = env("PAPERCLIP_LANGUAGE", default="en")
TIME_ZONE = env("PAPERCLIP_TIME_ZONE", default="UTC")
USE_TZ = True

# --- Mail ------------------------------------------------------------------------

# smtp://user:password@host:587, smtp+tls:// or smtp+ssl://. Empty: no mail is sent.
EMAIL_URL = env("PAPERCLIP_EMAIL_URL", default="")
globals().update(env.email_url_config(EMAIL_URL) if EMAIL_URL else {})
EMAIL_TIMEOUT = 15
MAIL_FROM = env(
    "PAPERCLIP_MAIL_FROM", default=f"paperclip@{urlsplit(URL).hostname or 'localhost'}"
)

# --- The console -----------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Paperclip",
    "SITE_HEADER": "Paperclip",
    "SITE_SYMBOL": "attach_file",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "href": "/static/paperclip/icon.svg"}],
    "SHOW_HISTORY": False,
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.3)",
            "100": "oklch(93% .034 272.8)",
            "200": "oklch(87% .065 274)",
            "300": "oklch(78.5% .115 274.7)",
            "400": "oklch(67.3% .182 276.9)",
            "500": "oklch(58.5% .233 277.1)",
            "600": "oklch(51.1% .262 276.9)",
            "700": "oklch(45.7% .24 277)",
            "800": "oklch(39.8% .195 277.4)",
            "900": "oklch(35.9% .144 278.7)",
            "950": "oklch(25.7% .09 281.3)",
        }
    },
    "SIDEBAR": {"navigation": "paperclip.console.sidebar"},
}

# --- The heartbeat ---------------------------------------------------------------

# A run that is not renewed for this long has lost its supervisor and is ended.
LEASE_SECONDS = env.float("PAPERCLIP_LEASE_SECONDS", default=15)
# So many runs at once on one host; 0: as many as its workers have threads.
HOST_RUNS = env.int("PAPERCLIP_HOST_RUNS", default=0)
# A check that is not renewed for this long has lost its worker and is begun anew.
CHECK_LEASE_SECONDS = env.float("PAPERCLIP_CHECK_LEASE_SECONDS", default=60)
# So many checks at once on one host, so that runs have workers too.
HOST_CHECKS = env.int("PAPERCLIP_HOST_CHECKS", default=2)
# So much memory the program of a check may take, with all it starts; 0: any.
CHECK_MEMORY_MB = env.int("PAPERCLIP_CHECK_MEMORY_MB", default=2048)
# So many processes a run may have at once; 0: any number.
MOST_PROCESSES = env.int("PAPERCLIP_MOST_PROCESSES", default=256)
# So many runs of an agent about an issue may change nothing before it is parked.
PROGRESS_LIMIT = env.int("PAPERCLIP_PROGRESS_LIMIT", default=3)
# So many issues in a row agents may file from one another's work.
LONGEST_CHAIN = env.int("PAPERCLIP_LONGEST_CHAIN", default=24)
# So often a minute a webhook fires its routine; 0: as often as it is called.
WEBHOOK_CALLS = env.int("PAPERCLIP_WEBHOOK_CALLS_A_MINUTE", default=60)
# So often a minute all webhooks together are called from one address; 0: any number.
WEBHOOK_SOURCE_CALLS = env.int("PAPERCLIP_WEBHOOK_SOURCE_CALLS_A_MINUTE", default=300)
# More adapters: "name=package.module.Class", the class one of agents.adapters.base.
ADAPTERS = env.dict("PAPERCLIP_ADAPTERS", default={})
# What marketing jobs may read although it is on this machine: "127.0.0.1:8080".
LOCAL_HOSTS = env.list("PAPERCLIP_LOCAL_HOSTS", default=[])
# Where people outside reach us, for links in mails: https only. Empty: they cannot.
PUBLIC_URL = env("PAPERCLIP_PUBLIC_URL", default="").rstrip("/")
# Whether the built-in loop may run shell commands where no sandbox works.
UNSANDBOXED_SHELL = env.bool("PAPERCLIP_UNSANDBOXED_SHELL", default=False)

# --- How long things are kept ----------------------------------------------------

# In days; 0: for ever. What is removed every night is in agents/retention.py.
KEEP_RUNS_DAYS = env.int("PAPERCLIP_KEEP_RUNS_DAYS", default=90)
KEEP_EVENTS_DAYS = env.int("PAPERCLIP_KEEP_EVENTS_DAYS", default=30)
KEEP_LOGS_DAYS = env.int("PAPERCLIP_KEEP_LOGS_DAYS", default=30)
KEEP_WAKEUPS_DAYS = env.int("PAPERCLIP_KEEP_WAKEUPS_DAYS", default=30)
KEEP_ROUTINE_RUNS_DAYS = env.int("PAPERCLIP_KEEP_ROUTINE_RUNS_DAYS", default=90)
KEEP_IDEMPOTENCY_KEYS_DAYS = env.int("PAPERCLIP_KEEP_IDEMPOTENCY_KEYS_DAYS", default=7)
KEEP_PAGES_DAYS = env.int("PAPERCLIP_KEEP_PAGES_DAYS", default=90)
KEEP_READINGS_DAYS = env.int("PAPERCLIP_KEEP_READINGS_DAYS", default=730)
KEEP_JOB_RUNS_DAYS = env.int("PAPERCLIP_KEEP_JOB_RUNS_DAYS", default=365)
KEEP_ANSWERS_DAYS = env.int("PAPERCLIP_KEEP_ANSWERS_DAYS", default=90)
# What a proof refers to stays so long after the issue was closed.
KEEP_PROOFS_DAYS = env.int("PAPERCLIP_KEEP_PROOFS_DAYS", default=365)
BACKUPS = env("PAPERCLIP_BACKUPS", default=str(HOME / "backups"))
BACKUP_MINUTES = env.float("PAPERCLIP_BACKUP_MINUTES", default=60)  # at most

# --- The HTTP API ----------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agents.auth.BearerAuthentication",
        "agents.auth.SessionActor",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "paperclip.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Paperclip",
    "DESCRIPTION": "The control plane for companies of AI agents.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "IssueStatus": "issues.models.base.Status",
        "CompanyStatus": "paperclip.models.Company.Status",
        "GoalStatus": "issues.models.Goal.Status",
        "ProjectStatus": "issues.models.Project.Status",
        "RunStatus": "agents.models.Run.Status",
        "AgentRole": "agents.models.roles.ROLES",
        "CheckType": "issues.api.criteria_forms.TYPES",
        "ParameterType": "issues.api.criteria_forms.PARAMETER_TYPES",
        "ParticipantType": "issues.api.criteria_forms.PARTICIPANT_TYPES",
        "ProofType": "issues.models.proof.TYPES",
        "StageType": "issues.models.policy.TYPES",
    },
}

# --- Logs ------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    },
    # A refused request is the caller's business; only our own faults are logged.
    "loggers": {
        "django.request": {"level": "ERROR"},
        # It would say the address, which may be a sign-in link.
        "django.security.csrf": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        "LiteLLM": {"level": "WARNING"},
    },
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stdout"],
        "level": env("PAPERCLIP_LOG_LEVEL", default="INFO"),
    },
}
