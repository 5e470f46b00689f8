import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { I8042 } from "./i8042.ts";
import { canRunQtest, differenceFromQemu, type PortAccess } from "./testing/qtest.ts";
import { RecordedLine } from "./testing/recorded-line.ts";

function create() {
  const bus = new Bus();
  const irq = new RecordedLine();
  const events: string[] = [];
  const controller = new I8042(irq, {
    reset: () => events.push("reset"),
    a20: (enabled) => events.push(`a20 ${enabled}`),
  });
  controller.mapOn(bus);
  const command = (value: number) => bus.writePort(0x64, 1, value);
  const data = (value: number) => bus.writePort(0x60, 1, value);
  const read = () => bus.readPort(0x60, 1);
  return { bus, irq, events, controller, command, data, read };
}

describe("the keyboard controller", () => {
  it("resets the machine when it pulses output bit 0, and not for other bits", () => {
    const { command, events } = create();
    command(0xff);
    expect(events).toEqual([]);
    command(0xfe);
    expect(events).toEqual(["reset"]);
  });

  it("switches A20 by its output port", () => {
    const { command, data, events } = create();
    command(0xd1);
    data(0xdd);
    command(0xd1);
    data(0xdf);
    expect(events).toEqual(["a20 false", "a20 true"]);
  });

  it("raises an interrupt for every byte that waits", () => {
    const { controller, irq, read } = create();
    controller.type(0x1e);
    controller.type(0x9e);
    expect(irq.level).toBe(true);
    expect(read()).toBe(0x1e);
    expect(irq.level).toBe(true);
    expect(irq.edges).toBe(2);
    expect(read()).toBe(0x9e);
    expect(irq.level).toBe(false);
  });

  it("does not grow without bound when nobody reads", () => {
    const { controller, data } = create();
    for (let index = 0; index < 10_000; index++) {
      controller.type(1);
      data(0xff);
      data(0xf2);
    }
    const { queue } = controller.save();
    expect(queue instanceof Uint8Array && queue.length).toBeLessThanOrEqual(32);
  });

  it("restores what it saved", () => {
    const { controller, command } = create();
    controller.type(0x1e);
    command(0x60);
    const copy = create();
    copy.controller.restore(controller.save());
    expect(copy.controller.save()).toEqual(controller.save());
    copy.data(0x44); // the parameter that was due
    copy.command(0x20);
    expect([copy.read(), copy.read()]).toEqual([0x1e, 0x44]);
  });
});

describe.runIf(canRunQtest)("the keyboard controller, beside QEMU's", () => {
  it("answers the controller's and the keyboard's commands the same", async () => {
    const { bus } = create();
    const accesses: PortAccess[] = [];
    const command = (value: number) => accesses.push({ kind: "write", port: 0x64, value });
    const data = (value: number) => accesses.push({ kind: "write", port: 0x60, value });
    const read = (count = 1) => {
      for (let index = 0; index < count; index++) accesses.push({ kind: "read", port: 0x60 });
    };
    const status = () => accesses.push({ kind: "read", port: 0x64 });
    command(0xaa);
    status();
    read();
    command(0x60);
    data(0x45);
    command(0x20);
    read();
    command(0xab);
    read();
    data(0xff);
    read(2);
    data(0xf2);
    read(3);
    data(0xed);
    read();
    data(0x07);
    read();
    data(0xf4);
    read();
    data(0xf5);
    read();
    data(0xf6);
    read();
    data(0xf3);
    read();
    data(0x20);
    read();
    data(0xee);
    read();
    data(0xf4);
    read();
    command(0xd2);
    data(0x5a);
    read();
    command(0xad);
    command(0x20);
    read();
    command(0xae);
    command(0x20);
    read();
    expect(await differenceFromQemu(bus, accesses)).toBeUndefined();
  });
});
