import { describe, expect, it } from "vitest";
import { UNCONNECTED } from "../devices/interrupt-line.ts";
import { ManualClock } from "../devices/testing/manual-clock.ts";
import { Uart16550 } from "../devices/uart16550.ts";
import type { HostStream } from "../kernel/host.ts";
import { SerialConsole } from "./serial-console.ts";

function create(write: (bytes: Uint8Array) => void | Promise<void> = () => {}) {
  const written: number[] = [];
  let pauses = 0;
  let resumes = 0;
  let closed = false;
  const stdin: HostStream = { isTerminal: false, pause: () => pauses++, resume: () => resumes++ };
  const stdout: HostStream = {
    isTerminal: false,
    write: (bytes) => {
      const result = write(bytes);
      written.push(...bytes);
      return result;
    },
  };
  const console = new SerialConsole(stdin, stdout, () => {
    closed = true;
  });
  const uart = new Uart16550(new ManualClock(), UNCONNECTED, console);
  console.connect(uart);
  const readAll = () => {
    const bytes: number[] = [];
    while ((uart.readPort(5, 1) & 1) !== 0) bytes.push(uart.readPort(0, 1));
    return bytes;
  };
  return { console, uart, written, readAll, flow: () => [pauses, resumes], isClosed: () => closed };
}

describe("the serial console", () => {
  it("hands typed bytes to the guest as it reads them, all of them and in order", () => {
    const { console, readAll } = create();
    const typed = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
    console.type(typed.subarray(0, 300));
    console.type(typed.subarray(300));
    expect(readAll()).toEqual([...typed]);
  });

  it("stops the terminal while too much waits, and lets it go on", () => {
    const { console, readAll, flow } = create();
    console.type(new Uint8Array(100_000));
    expect(flow()).toEqual([1, 0]);
    readAll();
    expect(flow()).toEqual([1, 1]);
  });

  it("writes what the guest sends when it is flushed, or a good deal has come together", () => {
    const { console, uart, written } = create();
    uart.writePort(0, 1, 0x41);
    expect(written).toEqual([]);
    expect(console.flush()).toBeUndefined();
    expect(written).toEqual([0x41]);
    for (let index = 0; index < 5000; index++) uart.writePort(0, 1, 0x42);
    expect(written.length).toBe(4097);
  });

  it("waits while the host's output is full", async () => {
    let drain = () => {};
    const { console } = create(
      () =>
        new Promise<void>((resolve) => {
          drain = resolve;
        }),
    );
    console.transmit(1);
    const waiting = console.flush();
    expect(waiting).toBeInstanceOf(Promise);
    expect(console.flush()).toBe(waiting);
    drain();
    await waiting;
    expect(console.flush()).toBeUndefined();
  });

  it("tells when nobody reads the output any more", () => {
    const { console, isClosed } = create(() => {
      throw new Error("EPIPE");
    });
    console.transmit(1);
    expect(console.flush()).toBeUndefined();
    expect(isClosed()).toBe(true);
  });
});
