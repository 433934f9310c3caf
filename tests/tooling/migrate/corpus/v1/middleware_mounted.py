from fastapi import FastAPI

from mysingle.core.middleware import LoggingMiddleware, add_logging_middleware

app = FastAPI()
# every request is logged
app.add_middleware(LoggingMiddleware, service_name="corpus")
add_logging_middleware(app)
app.state.ready = True
