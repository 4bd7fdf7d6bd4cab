/**
 * Configurations to begin with, in YAML and in JSON, with every kind of key, and what is put
 * into them to break them. None of it names a file or a variable outside of the test.
 */

/** The variables that `${…}` finds. */
export const environment = { PORT: "8000", KEY: "secret", EMPTY: "", NUMBER: "12", ON: "true" };

export const TEXTS = [
  `name: gateway.example
listen:
  - address: 0.0.0.0:\${PORT}
    serve: [clients]
  - { address: "[::]:8443" }
hubs:
  chat:
    paths: [/chat, "/chat/:room"]
    service: http://127.0.0.1:3000/events # the service
    auth: { connect: true }
    origins: ["https://app.example", "*"]
    signingKeys: [ \${KEY} ]
    consent: on
    compression: on
    slowConsumer: drop-oldest
    limits:
      messageBytesMax: 131072
      holdTimeoutMs: \${NUMBER}
  echo: &echo
    service: "echo:"
admin:
  address: 127.0.0.1:8001
  keys:
    - \${KEY}
    - 'another'
workers: auto
limits: { pingIntervalMs: 25000, pongTimeoutMs: 10000, messageBytesMax: 65536 }
`,
  `hubs: {default: {paths: [/], service: "echo:"}}\n`,
  `hubs: {constructor: {service: "echo:"}, toString: {service: "echo:"}}\n`,
  "# one service\nhubs:\n  main:\n    service:\n      url: >-\n        http://service.example/\n",
  JSON.stringify({
    hubs: { a: { service: "http://a.example/", limits: { messageBytesMax: 2048 } } },
    workers: 2,
    admin: { key: `$${"{KEY}"}` },
  }),
  JSON.stringify({ listen: [{ address: ":0" }], hubs: { b: { service: "echo:" } } }, null, 2),
];

/** Each is put in somewhere, as it stands. */
export const PIECES = [
  ...["\n", "  ", "\t", ":", ": ", "- ", "[", "]", "{", "}", ",", '"', "'", "#", " #", "|", ">"],
  ...["&a ", "*a", "*echo", "<<: *echo\n", "<<: *a", "!!str ", "!!binary ", "!x ", "? ", "---\n"],
  ...["...\n", "%YAML 1.2\n", "@", "`", "~", "null", "true", "-1", "1e9", "0x10", ".inf", ".nan"],
  ...["$" + "{", "$" + "{KEY}", "$" + "{NONE}", "$$" + "{x}", "$" + "{file:}", "$" + "{}"],
  ...["__proto__", "constructor", "prototype", "toString", "\u0000", "\ufeff", "\u2028", "é", "𝄞"],
  ...["\ud800", "\ufdd0", "\ufdd1", "\r", "\r\n", "99999999999999999999", '"\\x41"', '"\\ud800"'],
  ...["__proto__: { polluted: 1 }\n", '"__proto__": {"polluted": 1},', "? [a, b]\n: c\n"],
  ...["constructor: { prototype: { polluted: 1 } }\n", "hubs: *a\n", "a: &a [*a, *a]\n"],
];
