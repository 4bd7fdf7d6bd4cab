/**
 * What is known of the connection that an event is about, whichever carrier brought it. A link
 * keeps one of these for each of its channels; over HTTP each event has its own.
 */

export class Connection {
  readonly id: string;
  /** "" where the connect handler named none. */
  readonly userId: string;
  /** "" where none was chosen. */
  readonly subprotocol: string;
  /** What the handlers before set; "" for none. */
  state: string;

  constructor(id: string, userId: string, subprotocol: string, state: string) {
    this.id = id;
    this.userId = userId;
    this.subprotocol = subprotocol;
    this.state = state;
  }
}
