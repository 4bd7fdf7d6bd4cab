import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PathRouter } from "./paths.ts";

function routerOf(...paths: string[]): PathRouter {
  const router = new PathRouter();
  paths.forEach((path, hub) => {
    router.add(path, hub);
  });
  return router;
}

function matchOf(router: PathRouter, path: string) {
  const match = router.match(path);
  return match && { hub: match.hub, params: { ...match.params } };
}

describe("a path", () => {
  test("belongs to the hub that has it, letter for letter", () => {
    const router = routerOf("/", "/chat", "/chat/rooms");
    assert.deepEqual(matchOf(router, "/"), { hub: 0, params: {} });
    assert.deepEqual(matchOf(router, "/chat"), { hub: 1, params: {} });
    assert.deepEqual(matchOf(router, "/chat/rooms"), { hub: 2, params: {} });
  });

  test("that no hub has belongs to none", () => {
    const router = routerOf("/chat", "/chat/:room");
    for (const path of ["/", "/Chat", "/chat/", "/chat/a/b", "/other/a", "chat", "", "//chat"]) {
      assert.equal(router.match(path), undefined, path);
    }
    assert.equal(new PathRouter().match("/"), undefined);
  });

  test("gives its parameters by name", () => {
    const router = routerOf("/:tenant/chat/:room");
    const params = { tenant: "acme", room: "blue" };
    assert.deepEqual(matchOf(router, "/acme/chat/blue"), { hub: 0, params });
  });

  test("prefers a literal segment to a parameter, whatever came first in the configuration", () => {
    for (const turned of [false, true]) {
      const paths = ["/:any", "/chat", "/chat/:room", "/chat/lobby", "/:a/:b", "/:a/lobby"];
      const router = new PathRouter();
      const numbered = paths.map((path, hub) => [path, hub] as const);
      for (const [path, hub] of turned ? numbered.reverse() : numbered) router.add(path, hub);
      assert.equal(router.match("/chat")?.hub, 1);
      assert.equal(router.match("/news")?.hub, 0);
      assert.equal(router.match("/chat/lobby")?.hub, 3);
      assert.equal(router.match("/chat/blue")?.hub, 2);
      assert.equal(router.match("/news/lobby")?.hub, 5);
      assert.equal(router.match("/news/blue")?.hub, 4);
    }
  });

  test("has its parameters decoded, and only once", () => {
    const router = routerOf("/chat/:room");
    const rooms = [
      ["/chat/a%20b", "a b"],
      ["/chat/%C3%A9", "é"],
      ["/chat/a%2Fb", "a/b"],
      ["/chat/%2525", "%25"],
      ["/chat/a+b", "a+b"],
      ["/chat/__proto__", "__proto__"],
    ] as const;
    for (const [path, room] of rooms) {
      assert.deepEqual(matchOf(router, path), { hub: 0, params: { room } }, path);
    }
  });

  test("with what is no percent-encoded UTF-8 belongs to no hub", () => {
    const router = routerOf("/chat/:room");
    for (const path of ["/chat/%", "/chat/%4", "/chat/%zz", "/chat/%ff", "/chat/%C3"]) {
      assert.equal(router.match(path), undefined, path);
    }
  });

  test("has no empty parameter", () => {
    assert.equal(routerOf("/chat/:room").match("/chat/"), undefined);
  });

  test("may name a parameter like something that every object has", () => {
    const match = routerOf("/:constructor").match("/a");
    assert.deepEqual({ ...match?.params }, { constructor: "a" });
    assert.equal(routerOf("/:a").match("/b")?.params.toString, undefined);
  });
});
