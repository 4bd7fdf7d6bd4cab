/**
 * Which slots bear which names, many to many, without an object for a slot or for a pair: every
 * pair is a record of five integers, and stands in two chains, its name's and its slot's. A name
 * is kept once, and only while a slot bears it. What names mean is not known here.
 */

/** Of a record: what it pairs, and its neighbours. Indices are from 1 on, and 0 is none. */
const NAME = 0;
const SLOT = 1;
const NEXT_OF_NAME = 2;
const PREVIOUS_OF_NAME = 3;
/** Also chains the records that are free. */
const NEXT_OF_SLOT = 4;
const RECORD_FIELDS = 5;

/** Of a name: the ends of its chain, in the order in which its slots came, and its length. */
const FIRST = 0;
const LAST = 1;
/** Also chains the names that are free. */
const COUNT = 2;
const NAME_FIELDS = 3;

const INTEGERS_MIN = 64;
const NOTHING = new Int32Array(0);

export class Roster {
  readonly #names = new Map<string, number>();
  /** What each name is, by its index. */
  #texts: (string | undefined)[] = [undefined];
  #chains = NOTHING;
  #freeName = 0;
  #records = NOTHING;
  #freeRecord = 0;
  #recordsUsed = 0;
  /** The first record of each slot. */
  #firstOfSlots = NOTHING;

  /** Whether the slot now bears the name: it may be that it bears `namesMax` others already. */
  add(slot: number, text: string, namesMax: number): boolean {
    let name = this.#names.get(text) ?? 0;
    let count = 0;
    for (let record = this.#firstOfSlot(slot); record !== 0; record = this.#nextOfSlot(record)) {
      if (this.#nameOfRecord(record) === name) return true;
      count += 1;
    }
    if (count >= namesMax) return false;
    if (name === 0) name = this.#takeName(text);
    const record = this.#takeRecord();
    this.#firstOfSlots = withRoomFor(this.#firstOfSlots, slot);
    const at = record * RECORD_FIELDS;
    this.#records[at + NAME] = name;
    this.#records[at + SLOT] = slot;
    this.#records[at + NEXT_OF_SLOT] = this.#firstOfSlots[slot] as number;
    this.#firstOfSlots[slot] = record;
    this.#append(name, record);
    return true;
  }

  remove(slot: number, text: string): void {
    const name = this.#names.get(text);
    if (name === undefined) return;
    let before = 0;
    let record = this.#firstOfSlot(slot);
    while (record !== 0 && this.#nameOfRecord(record) !== name) {
      before = record;
      record = this.#nextOfSlot(record);
    }
    if (record === 0) return;
    const next = this.#nextOfSlot(record);
    if (before === 0) this.#firstOfSlots[slot] = next;
    else this.#records[before * RECORD_FIELDS + NEXT_OF_SLOT] = next;
    this.#release(record);
  }

  removeAll(slot: number): void {
    let record = this.#firstOfSlot(slot);
    if (record === 0) return;
    this.#firstOfSlots[slot] = 0;
    while (record !== 0) {
      const next = this.#nextOfSlot(record);
      this.#release(record);
      record = next;
    }
  }

  /** The one that it bears; of several, the one that came last. */
  nameOf(slot: number): string | undefined {
    const record = this.#firstOfSlot(slot);
    return record === 0 ? undefined : this.#texts[this.#nameOfRecord(record)];
  }

  /** Copies them from index 0 on, in the order in which they came; how many there are. */
  copySlotsOf(text: string, slots: Float64Array): number {
    const name = this.#names.get(text);
    if (name === undefined) return 0;
    const records = this.#records;
    const count = this.#chains[name * NAME_FIELDS + COUNT] as number;
    let record = this.#chains[name * NAME_FIELDS + FIRST] as number;
    for (let index = 0; index < count; index += 1) {
      const at = record * RECORD_FIELDS;
      slots[index] = records[at + SLOT] as number;
      record = records[at + NEXT_OF_NAME] as number;
    }
    return count;
  }

  /** Of its arrays: what is kept for the pairs that there are, and for those to come. */
  get bytes(): number {
    return this.#records.byteLength + this.#chains.byteLength + this.#firstOfSlots.byteLength;
  }

  #firstOfSlot(slot: number): number {
    return this.#firstOfSlots[slot] ?? 0;
  }

  #nextOfSlot(record: number): number {
    return this.#records[record * RECORD_FIELDS + NEXT_OF_SLOT] as number;
  }

  #nameOfRecord(record: number): number {
    return this.#records[record * RECORD_FIELDS + NAME] as number;
  }

  #append(name: number, record: number): void {
    const chain = name * NAME_FIELDS;
    const last = this.#chains[chain + LAST] as number;
    const at = record * RECORD_FIELDS;
    this.#records[at + NEXT_OF_NAME] = 0;
    this.#records[at + PREVIOUS_OF_NAME] = last;
    if (last === 0) this.#chains[chain + FIRST] = record;
    else this.#records[last * RECORD_FIELDS + NEXT_OF_NAME] = record;
    this.#chains[chain + LAST] = record;
    this.#chains[chain + COUNT] = (this.#chains[chain + COUNT] as number) + 1;
  }

  /** Out of its name's chain; its slot's is the caller's. */
  #release(record: number): void {
    const at = record * RECORD_FIELDS;
    const chain = this.#nameOfRecord(record) * NAME_FIELDS;
    const next = this.#records[at + NEXT_OF_NAME] as number;
    const previous = this.#records[at + PREVIOUS_OF_NAME] as number;
    if (previous === 0) this.#chains[chain + FIRST] = next;
    else this.#records[previous * RECORD_FIELDS + NEXT_OF_NAME] = next;
    if (next === 0) this.#chains[chain + LAST] = previous;
    else this.#records[next * RECORD_FIELDS + PREVIOUS_OF_NAME] = previous;
    const count = (this.#chains[chain + COUNT] as number) - 1;
    this.#chains[chain + COUNT] = count;
    this.#records[at + NEXT_OF_SLOT] = this.#freeRecord;
    this.#freeRecord = record;
    if (count === 0) this.#releaseName(this.#nameOfRecord(record));
  }

  #releaseName(name: number): void {
    this.#names.delete(this.#texts[name] as string);
    // Nobody is left: what a crowd needed once is not kept for ever.
    if (this.#names.size === 0) {
      this.#clear();
      return;
    }
    this.#texts[name] = undefined;
    this.#chains[name * NAME_FIELDS + COUNT] = this.#freeName;
    this.#freeName = name;
  }

  #clear(): void {
    this.#texts = [undefined];
    this.#chains = NOTHING;
    this.#freeName = 0;
    this.#records = NOTHING;
    this.#freeRecord = 0;
    this.#recordsUsed = 0;
    this.#firstOfSlots = NOTHING;
  }

  #takeName(text: string): number {
    let name = this.#freeName;
    if (name === 0) {
      name = this.#texts.length;
      this.#chains = withRoomFor(this.#chains, name * NAME_FIELDS + COUNT);
    } else this.#freeName = this.#chains[name * NAME_FIELDS + COUNT] as number;
    this.#chains[name * NAME_FIELDS + COUNT] = 0;
    this.#texts[name] = text;
    this.#names.set(text, name);
    return name;
  }

  #takeRecord(): number {
    const free = this.#freeRecord;
    if (free !== 0) {
      this.#freeRecord = this.#nextOfSlot(free);
      return free;
    }
    this.#recordsUsed += 1;
    this.#records = withRoomFor(this.#records, this.#recordsUsed * RECORD_FIELDS + NEXT_OF_SLOT);
    return this.#recordsUsed;
  }
}

/** Doubled where it ends before the index. What nobody has written to, the kernel does not back. */
function withRoomFor(array: Int32Array<ArrayBuffer>, index: number): Int32Array<ArrayBuffer> {
  if (index < array.length) return array;
  const larger = new Int32Array(Math.max(index + 1, 2 * array.length, INTEGERS_MIN));
  larger.set(array);
  return larger;
}
