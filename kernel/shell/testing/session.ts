/** A shell on a kernel of its own, with a terminal or a script in memory, for tests: no processor, so no programs. */

import type { Engine } from "../../../cpu/engine.ts";
import { DEFAULT_MODEL } from "../../../cpu/model.ts";
import { STATE_SIZE } from "../../../cpu/state.ts";
import { DevFs } from "../../fs/devfs.ts";
import { registerMemoryDevices } from "../../fs/memory-devices.ts";
import { RamFs } from "../../fs/ramfs.ts";
import type { Clock, Host, HostStream } from "../../host.ts";
import { openFifo } from "../../ipc/pipe.ts";
import type { Machine } from "../../mm/machine.ts";
import { OsvKernel } from "../../osv-kernel.ts";
import { openStandardFiles } from "../../tty/standard-files.ts";
import { TtyLayer } from "../../tty/tty-layer.ts";
import { MountTable } from "../../vfs/mount-table.ts";
import { Shell } from "../shell.ts";

const RAM_SIZE = 16 << 20;

/** Real time, so that `sleep` sleeps; but always the same day. */
export const testClock: Clock = {
  monotonic: () => Math.round(performance.now() * 1e6),
  realtime: () => ({ seconds: 1_000_000_000, nanoseconds: 0 }), // 2001-09-09 01:46:40
  after(ns, callback) {
    const timer = setTimeout(callback, ns / 1e6);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

/** A machine whose processor never runs. */
function idleMachine(): Machine {
  const engine: Engine = {
    name: "none",
    run: () => {
      throw new Error("there is no processor in this test");
    },
    invalidatePhysical: () => {},
    invalidateVirtual: () => {},
  };
  return {
    ram: new Uint8Array(RAM_SIZE),
    engine,
    cpu: {
      model: DEFAULT_MODEL,
      state: new DataView(new ArrayBuffer(STATE_SIZE)),
      rflags: 2,
      translator: { translate: () => false },
      saveContext: () => {},
      loadContext: () => {},
      tlbFlush: () => {},
    },
  };
}

export class Session {
  readonly kernel: OsvKernel;
  readonly terminals: TtyLayer;
  readonly shell: Shell;
  /** Everything that was written, standard output and error together. */
  output = "";
  size = { rows: 24, columns: 80 };
  private listener: (bytes: Uint8Array) => void = () => {};
  private resized: () => void = () => {};
  /** Input that came before anybody listened. */
  private early: Uint8Array[] = [];
  private listening = false;

  constructor(isTerminal: boolean) {
    const decoder = new TextDecoder();
    const write = (bytes: Uint8Array): void => {
      this.output += decoder.decode(bytes, { stream: true });
    };
    const stdout: HostStream = {
      isTerminal,
      write,
      size: () => this.size,
      onResize: (listener) => {
        this.resized = listener;
      },
    };
    const stdin: HostStream = {
      isTerminal,
      onData: (listener) => {
        this.listener = listener;
        this.listening = true;
        for (const bytes of this.early.splice(0)) listener(bytes);
      },
    };
    const host: Host = {
      clock: testClock,
      entropy: { fill: (bytes) => void bytes.fill(4) },
      stdin,
      stdout,
      stderr: stdout,
    };
    const mounts = new MountTable(new RamFs(testClock), testClock);
    mounts.openFifo = openFifo;
    mounts.root.inode.mkdir("dev", 0o755, 0, 0);
    mounts.root.inode.mkdir("root", 0o755, 0, 0);
    const devices = new DevFs(testClock);
    mounts.mount(devices, mounts.resolve(undefined, "/dev"));
    registerMemoryDevices(mounts.devices, host.entropy);
    this.kernel = new OsvKernel({ host, machine: idleMachine(), mounts });
    this.terminals = new TtyLayer(this.kernel, devices);
    this.shell = new Shell({
      kernel: this.kernel,
      terminals: this.terminals,
      files: openStandardFiles(this.kernel, this.terminals),
    });
  }

  send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (this.listening) this.listener(bytes);
    else this.early.push(bytes);
  }

  /** End of input. */
  end(): void {
    if (this.listening) this.listener(new Uint8Array(0));
    else this.early.push(new Uint8Array(0));
  }

  resize(rows: number, columns: number): void {
    this.size = { rows, columns };
    this.resized();
  }

  /** Waits until the output has what is expected. */
  async expect(pattern: string | RegExp): Promise<void> {
    for (let turns = 0; turns < 400; turns++) {
      if (typeof pattern === "string" ? this.output.includes(pattern) : pattern.test(this.output)) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`${String(pattern)} did not come; there was: ${JSON.stringify(this.output)}`);
  }
}

/** Runs a script and returns what it wrote and its status. */
export async function runScript(text: string): Promise<{ output: string; status: number }> {
  const session = new Session(false);
  session.send(text);
  session.end();
  const status = await session.shell.run();
  return { output: session.output, status };
}
