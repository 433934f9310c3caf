"""IAM as a whole: its use cases, and how a browser and the middleware meet them."""

from dataclasses import dataclass

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._accounts import Accounts
from mysingle.auth.iam._administration import Administration
from mysingle.auth.iam._backend import IamBackend
from mysingle.auth.iam._cookies import Cookies
from mysingle.auth.iam._csrf import CsrfCheck
from mysingle.auth.iam._mail import Mailer
from mysingle.auth.iam._mfa import Mfa
from mysingle.auth.iam._oauth.flow import OAuth
from mysingle.auth.iam._primitives import Primitives, make_primitives
from mysingle.auth.iam._registration import Registration
from mysingle.auth.iam._users import Users

__all__ = ["Iam", "build_iam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Iam:
    """
    Everything that the routes use.

    `users` signs people in and out, `registration` opens accounts, `accounts` is for people and their own account,
    `administration` for the accounts of others, `mfa` for the second step of signing in, `oauth` for sign-in with
    other providers. `tools` are the parts below.
    """

    settings: CommonSettings
    tools: Primitives
    users: Users
    registration: Registration
    accounts: Accounts
    administration: Administration
    mfa: Mfa
    oauth: OAuth
    cookies: Cookies
    csrf: CsrfCheck
    backend: IamBackend


def build_iam(settings: CommonSettings, mailer: Mailer) -> Iam:
    """Put IAM together; nothing is connected before its resource opens."""
    tools = make_primitives(settings, mailer)
    cookies = Cookies.from_settings(settings)
    csrf = CsrfCheck(settings, tools.secret.derive("csrf"), cookies)
    users, accounts = Users(tools), Accounts(tools)
    return Iam(
        settings=settings,
        tools=tools,
        users=users,
        registration=Registration(tools),
        accounts=accounts,
        administration=Administration(tools),
        mfa=Mfa(tools, accounts),
        oauth=OAuth(tools, users),
        cookies=cookies,
        csrf=csrf,
        backend=IamBackend(settings, tools, cookies, csrf),
    )
