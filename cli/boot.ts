/** `osv-vm boot`: an unmodified system, its serial console on this terminal. */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { DEFAULT_MODEL, MODELS, type ProcessorModel } from "../cpu/model.ts";
import { BootError } from "../devices/boot/boot-error.ts";
import { looksLikeKernel } from "../devices/boot/kernel-image.ts";
import { type FirmwareKind, type Kernel, Machine, type MachineOptions } from "../devices/machine/machine.ts";
import { MOST_RAM } from "../devices/machine/memory-layout.ts";
import type { StopReason } from "../devices/machine/stop-reason.ts";
import { deterministicHost } from "../kernel/deterministic-host.ts";
import type { HostStream } from "../kernel/host.ts";
import { type BootOptions, DEFAULT_MEMORY } from "./boot-options.ts";
import { CommandError, ExitStatus } from "./command-error.ts";
import { CONSOLE_HELP, type ConsoleCommand, ConsoleEscape } from "./console-escape.ts";
import type { DebugInput } from "./debug-input.ts";
import { isDebugging, openDebuggedHost } from "./debug-session.ts";
import { type DiskOption, OpenDisks } from "./disk-image.ts";
import { createSystemEngine } from "./engines.ts";
import { describeFileError } from "./file-error.ts";
import type { NodeHost } from "./host/node-host.ts";
import { NodeMachineHost } from "./host/node-machine-host.ts";
import { describeMachineStatistics } from "./machine-statistics.ts";
import { describeProcessor } from "./processor-report.ts";
import { SavedMachineFile } from "./restore-machine.ts";
import { createSaver, type MachineSaver, NOT_SAVED } from "./save-machine.ts";
import { drawScreen } from "./screen.ts";
import { SerialConsole } from "./serial-console.ts";

const WASM_PAGE = 65536;
const MIB = 2 ** 20;
/** Headers of kernels are within their first 32 KiB (multiboot 2, 3.1.1). */
const HEAD_BYTES = 32768;
/** The guest's own death: neither a success nor an error of ours. */
const GUEST_FAILED = 1;

function readFile(option: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw describeFileError(`${option} ${path}`, error);
  }
}

/** What is switched on: a kernel, or the first of the disks. */
interface BootSource {
  readonly kernel?: Kernel;
  readonly disks: readonly DiskOption[];
}

/** Reads as much of a file as tells a kernel from a disk. */
function headOf(path: string): Uint8Array {
  try {
    const file = openSync(path, "r");
    try {
      const head = new Uint8Array(HEAD_BYTES);
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw describeFileError(`boot ${path}`, error);
  }
}

/** IMAGE is a kernel if it looks like one, else a disk if it looks like one, else it is refused as a kernel. */
function sourceOf(image: string | undefined, options: BootOptions): BootSource {
  if (image !== undefined && options.kernel !== undefined) {
    const head = headOf(image);
    if (looksLikeKernel(head))
      throw new CommandError("boot: a kernel is named twice: as IMAGE and with --kernel");
  }
  const disks = [...options.disk];
  if (image !== undefined && (options.kernel !== undefined || !looksLikeKernel(headOf(image))))
    disks.unshift({ path: image, isRaw: false, isReadOnly: false, isSnapshot: false });
  const path = options.kernel ?? (disks.length === options.disk.length ? image : undefined);
  if (path !== undefined) return { kernel: kernelOf(path, options), disks };
  if (disks.length === 0 && options.bios === undefined)
    throw new CommandError("boot: nothing to boot; name a kernel with --kernel FILE, or a disk");
  for (const name of ["initrd", "append"] as const)
    if (options[name]) throw new CommandError(`boot: --${name} is for a kernel, and there is none`);
  return { disks };
}

function kernelOf(path: string, options: BootOptions): Kernel {
  return {
    subject: path,
    bytes: readFile(options.kernel === undefined ? "boot" : "--kernel", path),
    commandLine: options.append,
    ...(options.initrd !== undefined && {
      initrd: { subject: options.initrd, bytes: readFile("--initrd", options.initrd) },
    }),
  };
}

/** What a machine without a kernel begins with. @param kind as the machine has it, or had it when it was saved */
function firmwareOf(options: BootOptions, kind: FirmwareKind): MachineOptions["firmware"] {
  if (options.bios !== undefined) return { subject: options.bios, bytes: readFile("--bios", options.bios) };
  if (kind === "image")
    throw new CommandError("--restore: name the saved machine's firmware with --bios FILE");
  return kind === "own" ? "own" : undefined;
}

/** The terminal, as the machine's console; everything that has to be undone at the end. */
class BootSession {
  readonly machineHost: NodeMachineHost;
  readonly console: SerialConsole;
  private readonly escape: ConsoleEscape;
  private machine: Machine | undefined;
  /** What `--save` asks for. */
  saver: MachineSaver | undefined;
  /** Stops in the debugger. */
  onDebug: (() => void) | undefined;
  private readonly onSignal = (): void => this.machine?.stop({ kind: "quit" });

  constructor(
    readonly host: NodeHost,
    deterministic: boolean,
    /** Standard input, if a debugger's prompt shares it. */
    readonly input: DebugInput | undefined,
  ) {
    const { stdin, stdout } = this.host;
    const { entropy } = deterministic ? deterministicHost(this.host) : this.host;
    this.machineHost = new NodeMachineHost(entropy);
    this.console = new SerialConsole(stdin, stdout, this.onSignal);
    this.escape = new ConsoleEscape((command) => this.obey(command));
  }

  private obey(command: ConsoleCommand): void {
    switch (command) {
      case "quit":
        this.onSignal();
        return;
      case "save":
        if (this.saver === undefined) this.say(`osv-vm: ${NOT_SAVED}`);
        else this.machine?.pause();
        return;
      case "debug":
        if (this.onDebug === undefined) this.say("osv-vm: there is no debugger; start with: osv-vm debug");
        else this.onDebug();
        return;
      case "break":
        this.machine?.board.uart.receiveBreak();
        this.machineHost.wake();
        return;
      case "display":
        this.showScreen();
        return;
      case "help":
        this.say(CONSOLE_HELP.join("\n"));
    }
  }

  /** Writes a paused machine to its file, and says so. @throws CommandError */
  async save(machine: Machine): Promise<void> {
    await this.console.flush();
    if (this.saver !== undefined) this.say(`osv-vm: ${await this.saver.save(machine, this.console)}`);
  }

  /** Lines of ours between the guest's. */
  say(text: string): void {
    const newline = this.host.stderr.isTerminal ? "\r\n" : "\n";
    const lines = `\n${text}\n`.replaceAll("\n", newline);
    void this.host.stderr.write(new TextEncoder().encode(lines));
  }

  /** Where progress is shown. */
  get terminal(): HostStream {
    return this.host.stderr;
  }

  /** The VGA's text screen, in a frame. */
  showScreen(): void {
    if (this.machine !== undefined) this.say(drawScreen(this.machine.board.vga.screen()));
  }

  attach(machine: Machine): void {
    this.machine = machine;
    const { stdin } = this.host;
    this.console.connect(machine.board);
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
async function runMachine(session: BootSession, machine: Machine, options: BootOptions): Promise<StopReason> {
  const { saver } = session;
  for (;;) {
    const reason = await machine.run();
    if (reason.kind === "paused") {
      try {
        await session.save(machine);
      } catch (error) {
        // The machine is not lost because it could not be saved.
        if (saver?.endsIt !== false || !(error instanceof CommandError)) throw error;
        session.say(`osv-vm: ${error.message}`);
      }
      if (saver?.endsIt) return { kind: "quit" };
    } else if (reason.kind !== "reset" || !options.reboot) {
      if (reason.kind === "quit" && saver?.savesAtExit) await session.save(machine);
      return reason;
    } else machine.reboot();
  }
}

/** Has the machine wait for a debugger, if that is asked for. */
async function debugMachine(session: BootSession, machine: Machine, options: BootOptions) {
  if (!isDebugging(options)) return undefined;
  const { MachineTarget } = await import("../debug/machine-target.ts");
  const { startDebugger } = await import("./debug-session.ts");
  const target = new MachineTarget(machine);
  const debug = await startDebugger(target, options, {
    host: session.host,
    input: session.input,
    type: (text) => session.console.type(new TextEncoder().encode(text)),
    greeting: "Stopped before the first instruction; Ctrl-A d comes back here. `help` helps.",
  });
  session.onDebug = () => debug.interrupt();
  return { target, finish: () => debug.finish() };
}

/** @returns the exit status */
async function finish(session: BootSession, machine: Machine, reason: StopReason): Promise<number> {
  switch (reason.kind) {
    case "power-off":
    case "reset":
    case "quit":
    case "paused":
      return 0;
    case "debug-exit":
      return reason.status;
    case "no-boot-device":
      session.say(`osv-vm: nothing to boot: ${reason.why}`);
      return GUEST_FAILED;
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

/** The kind of processor: the one that was saved, or that `--cpu` names. */
function modelOf({ cpu }: BootOptions, saved: SavedMachineFile | undefined): ProcessorModel {
  const name = saved?.description.model;
  const model = Object.values(MODELS).find((known) => known.name === name);
  if (name !== undefined && model === undefined)
    throw new CommandError(`--restore: this version has no processor ${name}`);
  if (model !== undefined && cpu !== undefined && cpu !== model.name)
    throw new CommandError(`--restore: the saved machine has a processor ${model.name}; leave out --cpu`);
  return model ?? MODELS[cpu ?? DEFAULT_MODEL.name];
}

/** `--restore` brings the whole machine; nothing else may be said about it. @throws CommandError */
function checkRestore(image: string | undefined, options: BootOptions, file: SavedMachineFile): void {
  const { ramSize, debugExit } = file.description;
  const named = { IMAGE: image, "--kernel": options.kernel, "--initrd": options.initrd };
  const other = Object.entries(named).find(([, value]) => value !== undefined)?.[0];
  if (other !== undefined || options.append !== "") {
    throw new CommandError(
      `boot: ${other ?? "--append"} and --restore: the saved machine has a system already`,
    );
  }
  const saved = `${ramSize / MIB}M`;
  if (options.memory !== undefined && ramSizeOf(options.memory) !== ramSize)
    throw new CommandError(`--restore: the saved machine has ${saved} of memory; leave out --memory`);
  const { disks, firmware } = file.description;
  if (disks !== options.disk.length) {
    const count = disks === 1 ? "a disk" : `${disks} disks`;
    throw new CommandError(
      disks === 0
        ? "--restore: the saved machine has no disks; leave out --disk"
        : `--restore: the saved machine has ${count}; name what it had with --disk`,
    );
  }
  if (options.bios !== undefined && firmware !== "image")
    throw new CommandError("--restore: the saved machine has other firmware; leave out --bios");
  const place = options.device.find(({ name }) => name === "isa-debug-exit")?.place;
  if (place !== undefined && (place.port !== debugExit?.port || place.ports !== debugExit.ports))
    throw new CommandError("--restore: the saved machine has other devices; leave out --device");
}

const ramSizeOf = (memory: number): number => Math.floor(memory / WASM_PAGE) * WASM_PAGE;

/** @returns the exit status */
export async function boot(
  image: string | undefined,
  options: BootOptions,
  version: string,
): Promise<number> {
  const saved = options.restore === undefined ? undefined : await SavedMachineFile.open(options.restore);
  if (saved !== undefined) checkRestore(image, options, saved);
  const { kernel, disks: diskOptions } =
    saved === undefined ? sourceOf(image, options) : { kernel: undefined, disks: options.disk };
  if (kernel !== undefined && options.bios !== undefined)
    throw new CommandError("boot: --bios boots a disk, not a kernel");
  const ramSize = saved?.description.ramSize ?? ramSizeOf(options.memory ?? DEFAULT_MEMORY);
  if (ramSize > MOST_RAM) throw new CommandError("--memory: the machine has room for 3584M");
  const deterministic = options.deterministic || saved?.description.deterministic === true;
  const firmware = firmwareOf(
    options,
    saved?.description.firmware ?? (kernel === undefined ? "own" : "none"),
  );
  const disks = new OpenDisks(diskOptions);
  const { host, input } = await openDebuggedHost(options);
  const session = new BootSession(host, deterministic, input);
  try {
    const saver = createSaver(options, session.terminal);
    await saver?.check();
    session.saver = saver;
    const debugExit =
      saved?.description.debugExit ?? options.device.find(({ name }) => name === "isa-debug-exit")?.place;
    const machine = new Machine({
      ramSize,
      model: modelOf(options, saved),
      host: session.machineHost,
      createEngine: (cpu) =>
        createSystemEngine(options.engine, cpu, {
          jitThresholds: { ...options.jitThresholds, memory: options.jitMemory },
        }),
      serial: session.console,
      debugOutput: (byte) => session.console.transmit(byte),
      deterministic,
      version,
      afterSlice: () => {
        saver?.look(machine);
        return session.console.flush();
      },
      ...(debugExit !== undefined && { debugExit }),
      disks: disks.backends,
      ...(firmware !== undefined && { firmware }),
      // SeaBIOS tells its log there what it shows on the screen, and much more.
      ...(options.bios !== undefined && !options.verbose && { firmwareLog: () => {} }),
    });
    const start = session.machineHost.monotonic();
    saver?.watch(machine, session.console);
    if (firmware === "own") await machine.findDrives(diskOptions[0]?.path ?? "boot");
    if (kernel !== undefined) machine.bootKernel(kernel);
    else if (saved === undefined) machine.bootFirmware();
    await saved?.restore(machine, session.console, session.terminal);
    session.attach(machine);
    const debug = await debugMachine(session, machine, options);
    const reason = await runMachine(session, machine, options);
    await session.console.flush();
    if (options.display === "text") session.showScreen();
    const status = await finish(session, machine, reason);
    debug?.target.ended(status);
    await debug?.finish();
    if (options.stats)
      session.say(describeMachineStatistics(machine, session.machineHost.monotonic() - start));
    return status;
  } catch (error) {
    if (error instanceof BootError) throw new CommandError(error.message, ExitStatus.Ours);
    throw error;
  } finally {
    session.dispose();
    disks.close();
  }
}
