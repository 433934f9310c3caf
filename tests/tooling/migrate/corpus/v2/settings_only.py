class Settings:
    pass


def switch(settings) -> bool:
    return bool(True)


assert switch(Settings())
