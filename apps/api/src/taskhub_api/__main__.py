"""taskhub-api: serve, migrate, create-operator, settings, openapi."""

import argparse

from taskhub_api import __version__, commands
from taskhub_api.serving import serve


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="taskhub-api", description=__doc__)
    parser.add_argument("--version", action="version", version=f"taskhub-api {__version__}")
    names = parser.add_subparsers(dest="command", required=True)
    names.add_parser("serve", help="serve the API")
    names.add_parser("migrate", help="bring the database to the newest schema")
    operator = names.add_parser(
        "create-operator", help="make an operator, or an existing account one; the password is read from standard input"
    )
    operator.add_argument("--email", required=True, help="the operator's e-mail address")
    names.add_parser("settings", help="list every setting")
    names.add_parser("openapi", help="print the OpenAPI document")
    arguments = parser.parse_args()
    match arguments.command:
        case "serve":
            serve()
        case "migrate":
            commands.migrate()
        case "create-operator":
            commands.create_operator(arguments.email)
        case "settings":
            commands.list_settings()
        case "openapi":
            commands.print_openapi()


if __name__ == "__main__":
    main()
