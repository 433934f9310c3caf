from fastapi import FastAPI

app = FastAPI()
# every request is logged
app.state.ready = True
