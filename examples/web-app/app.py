"""A page that greets."""

from flask import Flask, send_from_directory

app = Flask(__name__)


@app.get("/")
def index():
    return "<link rel=stylesheet href=/static/style.css><h1>Hello from a container</h1>"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
