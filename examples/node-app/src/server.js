const express = require("express");

const app = express();
app.use(express.static("/srv/public"));
app.get("/hello", (request, response) => response.send("Hello from a container\n"));
app.listen(3000);
