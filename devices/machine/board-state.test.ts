import { describe, expect, it } from "vitest";
import { decodeState, encodeState } from "../saved-state-codec.ts";
import { objectDifferences } from "../testing/object-differences.ts";
import { generator } from "../testing/qtest.ts";
import { doSomething } from "./testing/board-activity.ts";
import { createTestBoard, type TestBoard } from "./testing/test-board.ts";

const BOARDS = 60;
const STEPS = 2000;

/**
 * Fields that are not state: the host's side of the test, and shortcuts that answer the same however they stand.
 * `earliest` is a lower bound that the run loop makes anew.
 */
const IGNORED = ["memory", "knownPorts", "lastMemory", "portRegions", "memoryRegions", "earliest"];

function busyBoard(seed: number): { machine: TestBoard } {
  const machine = createTestBoard();
  const random = generator(seed * 7919 + 1);
  const steps = random(STEPS);
  for (let step = 0; step < steps; step++) doSomething(machine, random);
  return { machine };
}

/** A fresh board at the same time, with the same RAM, and the other's state through bytes. */
function restored({ board, clock, memory }: TestBoard, wallSeconds?: number): TestBoard {
  const copy = createTestBoard(wallSeconds);
  copy.memory.bytes.set(memory.bytes);
  copy.clock.pass(clock.now());
  copy.board.resetParts();
  copy.board.restore(decodeState(encodeState(board.save()).bytes));
  return copy;
}

describe("a board that was restored", () => {
  it("has every field of every device as it was, after whatever a guest did to it", () => {
    for (let seed = 0; seed < BOARDS; seed++) {
      const { machine } = busyBoard(seed);
      const copy = restored(machine);
      expect(objectDifferences(machine.board, copy.board, IGNORED), `seed ${seed}`).toEqual([]);
      expect(copy.isRequested(), `seed ${seed}`).toBe(machine.isRequested());
    }
  });

  it("saves the same bytes again", () => {
    for (let seed = 0; seed < BOARDS; seed++) {
      const { machine } = busyBoard(seed);
      const again = encodeState(restored(machine).board.save()).bytes;
      expect(Buffer.compare(again, encodeState(machine.board.save()).bytes), `seed ${seed}`).toBe(0);
    }
  });

  it("goes on as the one that was saved: reads, interrupts and output are the same", () => {
    for (let seed = 0; seed < BOARDS; seed++) {
      const { machine } = busyBoard(seed);
      const copy = restored(machine);
      const [one, two] = [generator(seed + 1), generator(seed + 1)];
      for (const both of [machine, copy]) {
        both.sent.length = 0;
        both.stops.length = 0;
      }
      for (let step = 0; step < 500; step++) {
        const outcomes = [doSomething(machine, one), doSomething(copy, two)].map((read) => read?.value);
        const isSame = outcomes[0] === outcomes[1] && copy.isRequested() === machine.isRequested();
        if (!isSame) expect.fail(`seed ${seed}, step ${step}: ${outcomes.join(" and ")}`);
      }
      expect([copy.sent, copy.stops]).toEqual([machine.sent, machine.stops]);
      expect(objectDifferences(machine.board, copy.board, IGNORED), `seed ${seed}`).toEqual([]);
    }
  });

  it("shows the host's time of day, and keeps the distance that the guest has set", () => {
    const machine = createTestBoard(1_700_000_000);
    const { bus } = machine.board;
    const cmos = (board: TestBoard["board"], register: number) => {
      board.bus.writePort(0x70, 1, register);
      return board.bus.readPort(0x71, 1);
    };
    bus.writePort(0x70, 1, 0x0b);
    bus.writePort(0x71, 1, 0x06); // binary, 24 hours
    const before = cmos(machine.board, 4) * 3600 + cmos(machine.board, 2) * 60 + cmos(machine.board, 0);
    bus.writePort(0x70, 1, 0x02);
    bus.writePort(0x71, 1, (cmos(machine.board, 2) + 1) % 60); // a minute ahead
    const later = restored(machine, 1_700_000_000 + 7200);
    const after = cmos(later.board, 4) * 3600 + cmos(later.board, 2) * 60 + cmos(later.board, 0);
    expect((after - before + 86_400) % 86_400).toBe(7200 + 60);
  });
});
