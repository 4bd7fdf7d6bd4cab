import assert from "node:assert/strict";
import { test } from "node:test";
import type { Contender } from "../floor/servers.ts";
import { withOpened, withServers } from "./workload.ts";

const stopped: string[] = [];

function contender(name: string, problem?: string): Contender {
  const start: Contender["start"] = async () => {
    if (problem !== undefined) throw new Error(problem);
    return {
      port: 1,
      pids: [1],
      stop: async () => {
        stopped.push(name);
      },
    };
  };
  return { name, raw: false, start };
}

test("one that does not start is named, and the others are measured and stopped", async () => {
  const contenders = [contender("a"), contender("b", "a command\nit is broken"), contender("c")];
  const { failures } = await withServers(contenders, async (running) => {
    assert.deepEqual(
      running.map((each) => each.contender.name),
      ["a", "c"],
    );
    return { figures: [], failures: [] };
  });
  assert.deepEqual(failures, [{ scenario: "start", contender: "b", reason: "it is broken" }]);
  assert.deepEqual(stopped.splice(0), ["a", "c"]);
});

test("when measuring fails, what was started is stopped all the same", async () => {
  const use = () => Promise.reject(new Error("no"));
  await assert.rejects(withServers([contender("a")], use), /^Error: no$/);
  assert.deepEqual(stopped.splice(0), ["a"]);
});

test("what one cannot open is named with its scenario, and the others are closed", async () => {
  const opening = {
    scenario: "20 B",
    nameOf: (name: string) => name,
    open: async (name: string) => {
      if (name === "b") throw new Error("refused");
      return name;
    },
    close: async (name: string) => {
      stopped.push(name);
    },
  };
  const { failures } = await withOpened(["a", "b", "c"], opening, async (opened) => {
    assert.deepEqual(opened, ["a", "c"]);
    return { figures: [], failures: [{ scenario: "20 B", contender: "c", reason: "late" }] };
  });
  assert.deepEqual(failures, [
    { scenario: "20 B", contender: "b", reason: "refused" },
    { scenario: "20 B", contender: "c", reason: "late" },
  ]);
  assert.deepEqual(stopped.splice(0), ["a", "c"]);
});
