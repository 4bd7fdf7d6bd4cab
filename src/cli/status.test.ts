import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, formatStatus, formatTable } from "./status.ts";

test("the status is a page for people", () => {
  const page = formatStatus({
    version: "1.2.3",
    pid: 100,
    uptimeMs: 3_723_000,
    ready: true,
    listen: [
      { host: "0.0.0.0", port: 8000 },
      { host: "::", port: 8000 },
    ],
    admin: { host: "127.0.0.1", port: 8001 },
    workers: [
      { index: 1, pid: 101, state: "ready", connections: 12_345, restarts: 0 },
      { index: 2, pid: undefined, state: "waiting", connections: 0, restarts: 3 },
    ],
    connections: 12_345,
    hubs: [
      {
        name: "chat",
        paths: ["/chat", "/chat/:room"],
        service: "http://127.0.0.1:3000/e",
        connections: 12_345,
      },
    ],
  });
  assert.equal(
    page,
    `gateway      ready, up 1 h 2 min, pid 100
version      1.2.3
clients      ws://0.0.0.0:8000 ws://[::]:8000
admin        http://127.0.0.1:8001
connections  12345

worker  pid  state    connections  restarts
     1  101  ready          12345         0
     2    -  waiting            0         3

hub   connections  paths              service
chat        12345  /chat /chat/:room  http://127.0.0.1:3000/e
`,
  );
});

test("a table without rows is its head", () => {
  assert.equal(formatTable([["hub", "paths"]]), "hub  paths\n");
});

test("a duration is told in its two largest units", () => {
  const durations: [number, string][] = [
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_600_000, "1 h"],
    [3_605_000, "1 h"],
    [90_061_000, "1 d 1 h"],
  ];
  for (const [ms, text] of durations) assert.equal(formatDuration(ms), text);
});
