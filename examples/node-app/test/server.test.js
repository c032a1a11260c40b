const test = require("node:test");
const assert = require("node:assert");

test("two and two", () => assert.strictEqual(2 + 2, 4));
