/** A whole machine as a {@link SavedState}: what it is, where it has come to, and what it was started with. */

import { type SavedState, type SavedValue, StateError, StateReader } from "../saved-state.ts";
import type { DebugExitPlace } from "./board.ts";
import type { FirmwareKind, Kernel, Machine } from "./machine.ts";
import { MOST_RAM } from "./memory-layout.ts";
import { restoreProcessor, saveProcessor } from "./processor-state.ts";

const VERSION = 1;
const RAM_GRANULE = 65536;
const MOST_PORT = 0xffff;
const MOST_EXIT_PORTS = 8;
const MOST_CHANCE = 0xffffffff;

/** What a machine must be like to take over a state. */
export interface MachineDescription {
  readonly ramSize: number;
  /** Name of the processor model. */
  readonly model: string;
  /** It ran on instruction time. */
  readonly deterministic: boolean;
  readonly debugExit?: DebugExitPlace;
  readonly firmware: FirmwareKind;
  /** How many disks it has. What is in them is not saved, but changes of snapshots are. */
  readonly disks: number;
}

const FIRMWARE_KINDS: readonly FirmwareKind[] = ["none", "own", "image"];
/** More than there are PCI slots. */
const MOST_DISKS = 32;

/**
 * The state of a machine that is paused; byte arrays in it are live.
 */
export function saveMachine(machine: Machine): SavedState {
  const { cpu, board, system, processor, clock, host, kernel, options } = machine;
  const { debugExit } = options;
  return {
    version: VERSION,
    model: cpu.model.name,
    deterministic: options.deterministic,
    debugExit: debugExit && { version: 1, ...debugExit },
    firmware: firmwareKind(options.firmware),
    disks: options.disks?.length ?? 0,
    time: clock.now(),
    instructions: processor.instructionsExecuted,
    chance: host.chance,
    processor: saveProcessor(system),
    board: board.save(),
    kernel: kernel && saveKernel(kernel),
    ramSize: cpu.ram.length,
    ram: cpu.ram,
  };
}

function firmwareKind(firmware: Machine["options"]["firmware"]): FirmwareKind {
  return firmware === undefined ? "none" : firmware === "own" ? "own" : "image";
}

function saveKernel({ subject, bytes, commandLine, initrd }: Kernel): SavedState {
  return { version: 1, subject, bytes, commandLine, initrd: initrd && { version: 1, ...initrd } };
}

function restoreKernel(saved: SavedValue): Kernel | undefined {
  if (saved === undefined) return undefined;
  const state = new StateReader("the kernel", saved, 1);
  const initrd = state.optional("initrd") && new StateReader("the initrd", state.optional("initrd"), 1);
  return {
    subject: state.text("subject"),
    bytes: state.bytes("bytes"),
    commandLine: state.text("commandLine"),
    ...(initrd && { initrd: { subject: initrd.text("subject"), bytes: initrd.bytes("bytes") } }),
  };
}

/** @throws StateError */
export function describeMachine(saved: SavedValue): MachineDescription {
  const state = new StateReader("the machine", saved, VERSION);
  const ramSize = state.integer("ramSize", MOST_RAM);
  if (ramSize === 0 || ramSize % RAM_GRANULE !== 0)
    throw new StateError(`the machine: it has ${ramSize} bytes of RAM`);
  const debugExit = state.optional("debugExit");
  const firmware = FIRMWARE_KINDS.find((kind) => kind === state.text("firmware"));
  if (firmware === undefined) throw new StateError("the machine: its firmware is of an unknown kind");
  return {
    firmware,
    disks: state.integer("disks", MOST_DISKS),
    ramSize,
    model: state.text("model"),
    deterministic: state.boolean("deterministic"),
    ...(debugExit !== undefined && { debugExit: restoreDebugExit(debugExit) }),
  };
}

function restoreDebugExit(saved: SavedValue): DebugExitPlace {
  const state = new StateReader("isa-debug-exit", saved, 1);
  return { port: state.integer("port", MOST_PORT), ports: state.integer("ports", MOST_EXIT_PORTS) };
}

/**
 * Has a machine that was just made, as {@link describeMachine} says, go on from a state. Its RAM is there already if the
 * state's byte array for it is that RAM.
 * @throws StateError; the machine is then of no use
 */
export function restoreMachine(machine: Machine, saved: SavedValue): void {
  const state = new StateReader("the machine", saved, VERSION);
  const { cpu, board, system, processor, host } = machine;
  const ram = state.bytes("ram", cpu.ram.length);
  if (state.text("model") !== cpu.model.name) {
    throw new StateError(
      `the machine: its processor was a ${state.text("model")}, this one is a ${cpu.model.name}`,
    );
  }
  if (ram !== cpu.ram) {
    machine.beginRestore();
    cpu.ram.set(ram);
  }
  board.resetParts();
  processor.instructionsExecuted = state.integer("instructions", Number.MAX_SAFE_INTEGER);
  machine.setTime(state.integer("time", Number.MAX_SAFE_INTEGER));
  if (state.optional("chance") !== undefined) {
    const chance = state.integer("chance", MOST_CHANCE);
    if (chance === 0) throw new StateError("the machine: its seed is zero");
    host.chance = chance;
  }
  board.restore(state.state("board"));
  restoreProcessor(system, state.state("processor"));
  machine.kernel = restoreKernel(state.optional("kernel"));
  processor.engine.invalidatePhysical(0, cpu.ram.length);
}
