import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { UNANSWERED } from "./conformance/handshake-case.ts";
import { handshakeGroups, refusedGroups } from "./conformance/handshake-cases.ts";
import { checkHandshake } from "./conformance/handshake-check.ts";
import { type GroupOutcomes, runGroup } from "./conformance/handshake-runner.ts";
import { seededRandom } from "./support/seed.ts";

for (const group of handshakeGroups) {
  describe(group.title, () => {
    let outcomes: GroupOutcomes;
    before(async () => {
      outcomes = await runGroup(group, seededRandom());
    });
    for (const each of group.cases) {
      const expected = each.status === UNANSWERED ? "the end and no answer" : each.status;
      test(`${each.id} ${each.sentence}: ${expected}`, () => {
        assert.equal(outcomes.size, 3);
        for (const [cutting, outcomesById] of outcomes) {
          const outcome = outcomesById.get(each.id);
          assert.ok(outcome);
          checkHandshake(each, outcome, cutting);
        }
      });
    }
  });
}

test("there are 300 refusals and more, and no two cases send the same", () => {
  const refusals = refusedGroups.flatMap(({ cases }) => cases);
  assert.ok(refusals.length >= 300, `${refusals.length}`);
  const all = handshakeGroups.flatMap((group) =>
    group.cases.map(({ id, bytes }) => ({ id, sent: `${group.hub ?? ""}${bytes}` })),
  );
  const seen = new Map<string, string>();
  for (const { id, sent } of all) {
    assert.equal(seen.get(sent), undefined, `${id} sends what ${seen.get(sent)} does`);
    seen.set(sent, id);
  }
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
});
