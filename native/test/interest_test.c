/*
 * What is watched for, and what a hang-up tells those who do not read.
 */
#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

TEST(paused, "a paused socket is neither read nor reported, not even for the peer's end") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  poller_watch(fixture.poller, slot, 0);
  client_send(client, "hello");
  shutdown(client, SHUT_WR);
  CHECK(!fixture_ready(&fixture));
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  poller_watch(fixture.poller, slot, INTEREST_READ);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  fixture_part(&fixture, client);
}

TEST(interest_changes, "watching for what is watched already costs no system call") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  kernel_reset();
  poller_watch(fixture.poller, slot, INTEREST_READ);
  CHECK_EQUAL(kernel_epoll_ctl.calls, 0);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  CHECK_EQUAL(kernel_epoll_ctl.calls, 1);
  fixture_part(&fixture, client);
}

TEST(writable, "WRITE is reported every turn until it is off, before the bytes of the same slot") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  client_send(client, "hello");
  for (int i = 0; i < 3; i++)
    fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_WRITABLE);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  CHECK_EQUAL(fixture_turn(&fixture), 2);
  CHECK_EQUAL(fixture_find(&fixture, 2, slot, RECORD_WRITABLE), 0);
  CHECK_EQUAL(fixture_find(&fixture, 2, slot, RECORD_BYTES), 1);
  poller_watch(fixture.poller, slot, 0);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  fixture_part(&fixture, client);
}

static void check_hang_up(unsigned interest) {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  poller_watch(fixture.poller, slot, interest);
  client_send(client, "hello");
  client_reset(client);
  const int32_t count = fixture_turn(&fixture);
  CHECK(fixture_find(&fixture, count, slot, RECORD_HANGUP) >= 0);
  CHECK_EQUAL(fixture_find(&fixture, count, slot, RECORD_FAILED), -1);
  /* A silenced writer may still wake the loop once, and then never. */
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  CHECK(!fixture_ready(&fixture));
  /* Neither pausing nor wanting to write wakes it again. */
  poller_watch(fixture.poller, slot, 0);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  poller_watch(fixture.poller, slot, 0);
  CHECK(!fixture_ready(&fixture));
  poller_watch(fixture.poller, slot, INTEREST_READ);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_FAILED);
  poller_close(fixture.poller, slot, false);
  CHECK(!fixture_ready(&fixture));
  fixture_close(&fixture);
}

TEST(hangup_paused, "a hang-up while paused is told once; resuming finds the bytes and the reset") {
  check_hang_up(0);
}

TEST(hangup_writing, "a hang-up while only WRITE is wanted is told once as well") {
  check_hang_up(INTEREST_WRITE);
}

TEST(hangup_twice, "pausing again after a hang-up that nobody looked into tells it again, once") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  client_send(client, "hello");
  client_reset(client);
  for (int i = 0; i < 2; i++) {
    poller_watch(fixture.poller, slot, 0);
    fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP);
    CHECK(!fixture_ready(&fixture));
    poller_watch(fixture.poller, slot, INTEREST_READ);
  }
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_close(&fixture);
}

TEST(hangup_again, "a slot used again after a hang-up begins without its memory") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  poller_watch(fixture.poller, slot, 0);
  client_reset(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP);
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  CHECK_EQUAL(fixture_accept(&fixture, &client), slot);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_WRITABLE);
  client_reset(client);
  CHECK(fixture_find(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP) >= 0);
  fixture_close(&fixture);
}
