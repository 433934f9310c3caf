from fastapi import APIRouter, Depends
from fastapi.security import OAuth2PasswordBearer

from mysingle.auth import get_user_id

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/token")
router = APIRouter()


@router.get("/raw")
def raw(token: str = Depends(oauth2_scheme)) -> str:
    return token


@router.get("/id")
def identity(user_id: str = Depends(get_user_id)) -> str: return user_id
