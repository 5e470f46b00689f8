/** `osv-vm boot`: an unmodified system, its serial console on this terminal. */

import { readFileSync } from "node:fs";
import { BootError } from "../devices/boot/boot-error.ts";
import { type Kernel, Machine } from "../devices/machine/machine.ts";
import { MOST_RAM } from "../devices/machine/memory-layout.ts";
import type { StopReason } from "../devices/machine/stop-reason.ts";
import { deterministicHost } from "../kernel/deterministic-host.ts";
import type { BootOptions } from "./boot-options.ts";
import { CommandError, ExitStatus } from "./command-error.ts";
import { CONSOLE_HELP, ConsoleEscape } from "./console-escape.ts";
import { loadSystemEngine } from "./engines.ts";
import { describeFileError } from "./file-error.ts";
import { NodeHost } from "./host/node-host.ts";
import { NodeMachineHost } from "./host/node-machine-host.ts";
import { describeMachineStatistics } from "./machine-statistics.ts";
import { describeProcessor } from "./processor-report.ts";
import { SerialConsole } from "./serial-console.ts";

const WASM_PAGE = 65536;
/** The guest's own death: neither a success nor an error of ours. */
const GUEST_FAILED = 1;

function readFile(option: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw describeFileError(`${option} ${path}`, error);
  }
}

function kernelOf(image: string | undefined, options: BootOptions): Kernel {
  if (image !== undefined && options.kernel !== undefined) {
    throw new CommandError("boot: a kernel is named twice: as IMAGE and with --kernel");
  }
  const path = options.kernel ?? image;
  if (path === undefined) throw new CommandError("boot: nothing to boot; name a kernel with --kernel FILE");
  return {
    subject: path,
    bytes: readFile(options.kernel === undefined ? "boot" : "--kernel", path),
    commandLine: options.append,
    ...(options.initrd !== undefined && {
      initrd: { subject: options.initrd, bytes: readFile("--initrd", options.initrd) },
    }),
  };
}

/** The terminal, as the machine's console; everything that has to be undone at the end. */
class BootSession {
  readonly machineHost: NodeMachineHost;
  readonly console: SerialConsole;
  private readonly escape: ConsoleEscape;
  private machine: Machine | undefined;
  private readonly onSignal = (): void => this.machine?.stop({ kind: "quit" });

  constructor(
    private readonly host: NodeHost,
    deterministic: boolean,
  ) {
    const { stdin, stdout } = this.host;
    const { entropy } = deterministic ? deterministicHost(this.host) : this.host;
    this.machineHost = new NodeMachineHost(entropy);
    this.console = new SerialConsole(stdin, stdout, this.onSignal);
    this.escape = new ConsoleEscape((command) => {
      if (command === "quit") this.onSignal();
      else this.say(CONSOLE_HELP.join("\n"));
    });
  }

  /** Lines of ours between the guest's. */
  say(text: string): void {
    const newline = this.host.stderr.isTerminal ? "\r\n" : "\n";
    const lines = `\n${text}\n`.replaceAll("\n", newline);
    void this.host.stderr.write(new TextEncoder().encode(lines));
  }

  attach(machine: Machine): void {
    this.machine = machine;
    const { stdin } = this.host;
    this.console.connect(machine.board.uart);
    if (stdin.isTerminal) stdin.setRaw?.(true);
    const receive = (bytes: Uint8Array): void => {
      if (bytes.length === 0) return; // end of input: the guest runs on
      this.console.type(stdin.isTerminal ? this.escape.filter(bytes) : bytes);
      this.machineHost.wake();
    };
    const { source } = stdin;
    if (source !== undefined) {
      const { file, start } = source;
      const buffer = new Uint8Array(WASM_PAGE);
      for (let at = start, count = 1; count > 0; at += count) {
        count = file.read(buffer, at);
        receive(buffer.slice(0, count));
      }
    } else stdin.onData?.(receive);
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) process.on(signal, this.onSignal);
  }

  dispose(): void {
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) process.off(signal, this.onSignal);
    this.host.dispose();
  }
}

/** Runs the machine until it ends; resets start it again. */
async function runMachine(machine: Machine, options: BootOptions): Promise<StopReason> {
  for (;;) {
    const reason = await machine.run();
    if (reason.kind !== "reset" || !options.reboot) return reason;
    machine.reboot();
  }
}

/** @returns the exit status */
async function finish(session: BootSession, machine: Machine, reason: StopReason): Promise<number> {
  switch (reason.kind) {
    case "power-off":
    case "reset":
    case "quit":
      return 0;
    case "debug-exit":
      return reason.status;
    case "guest-panic":
      session.say("osv-vm: the guest's kernel has panicked");
      return GUEST_FAILED;
    case "dead-halt":
      session.say("osv-vm: the guest has halted with interrupts disabled: it will never go on");
      return GUEST_FAILED;
    case "triple-fault":
      session.say(
        `osv-vm: triple fault: the guest could not handle its own exception\n${await describeProcessor(machine)}`,
      );
      return GUEST_FAILED;
  }
}

/** @returns the exit status */
export async function boot(
  image: string | undefined,
  options: BootOptions,
  version: string,
): Promise<number> {
  const kernel = kernelOf(image, options);
  const ramSize = Math.floor(options.memory / WASM_PAGE) * WASM_PAGE;
  if (ramSize > MOST_RAM) throw new CommandError("--memory: the machine has room for 3584M");
  const createEngine = await loadSystemEngine(options.engine);
  const session = new BootSession(await NodeHost.open(), options.deterministic);
  try {
    const debugExit = options.device.find(({ name }) => name === "isa-debug-exit")?.place;
    const machine = new Machine({
      ramSize,
      host: session.machineHost,
      createEngine,
      serial: session.console,
      debugOutput: (byte) => session.console.transmit(byte),
      deterministic: options.deterministic,
      version,
      afterSlice: () => session.console.flush(),
      ...(debugExit !== undefined && { debugExit }),
    });
    const start = session.machineHost.monotonic();
    machine.bootKernel(kernel);
    session.attach(machine);
    const reason = await runMachine(machine, options);
    await session.console.flush();
    const status = await finish(session, machine, reason);
    if (options.stats)
      session.say(describeMachineStatistics(machine, session.machineHost.monotonic() - start));
    return status;
  } catch (error) {
    if (error instanceof BootError) throw new CommandError(error.message, ExitStatus.Ours);
    throw error;
  } finally {
    session.dispose();
  }
}
