/** The options of `osv-vm boot`. */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { JitThresholds } from "../cpu/engines/jit/thresholds.ts";
import type { ModelName } from "../cpu/model.ts";
import type { DebugExitPlace } from "../devices/machine/board.ts";
import type { DebugOptions } from "./debug-session.ts";
import { DEFAULT_OPTIONS, MIB } from "./default-options.ts";
import { type DiskOption, parseDisk } from "./disk-image.ts";
import type { EngineChoice } from "./engines.ts";
import {
  gdbOption,
  parseCpus,
  parseEngine,
  parseMemory,
  parseModel,
  parseSize,
  parseThresholds,
  unavailable,
} from "./machine-options.ts";
import { parseSaveMoment, type SaveMoment } from "./save-moment.ts";

/** How the command line describes what is booted, and on which machine. */
export interface BootOptions extends DebugOptions {
  kernel?: string;
  initrd?: string;
  append: string;
  disk: readonly DiskOption[];
  bios?: string;
  device: readonly DeviceOption[];
  /** Bytes; undefined if nothing was said about it. */
  memory?: number;
  engine: EngineChoice;
  /** Bytes of WebAssembly that the JIT may have in use. */
  jitMemory: number;
  jitThresholds?: Partial<JitThresholds>;
  /** The kind of processor. */
  cpu?: ModelName;
  display: "none" | "text";
  reboot: boolean;
  verbose: boolean;
  deterministic: boolean;
  stats: boolean;
  /** File to save the machine to, and when besides Ctrl-A s. */
  save?: string;
  saveAt?: SaveMoment;
  /** File of a saved machine. */
  restore?: string;
}

export interface DeviceOption {
  readonly name: "isa-debug-exit";
  readonly place: DebugExitPlace;
}

/** A machine's memory unless something else is said. */
export const DEFAULT_MEMORY = 512 * MIB;
const { engine: DEFAULT_ENGINE, jitMemory: DEFAULT_JIT_MEMORY } = DEFAULT_OPTIONS;
/** QEMU's defaults for `-device isa-debug-exit`. */
const DEBUG_EXIT_BASE = 0x501;
const DEBUG_EXIT_SIZE = 2;

function parseNumber(key: string, text: string, most: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isInteger(value) || value > most)
    throw new InvalidArgumentError(`${key} must be a number up to ${most}.`);
  return value;
}

/** `isa-debug-exit,iobase=0xf4,iosize=4` */
function parseDevice(text: string, before: readonly DeviceOption[]): DeviceOption[] {
  const [name, ...settings] = text.split(",");
  if (name !== "isa-debug-exit") throw new InvalidArgumentError("The devices are: isa-debug-exit.");
  let port = DEBUG_EXIT_BASE;
  let ports = DEBUG_EXIT_SIZE;
  for (const setting of settings) {
    const [key, value = ""] = setting.split("=");
    if (key === "iobase") port = parseNumber(key, value, 0xffff);
    else if (key === "iosize") ports = parseNumber(key, value, 8);
    else throw new InvalidArgumentError("isa-debug-exit has: iobase, iosize.");
  }
  return [...before, { name, place: { port, ports } }];
}

function parseMoment(text: string): SaveMoment {
  const moment = parseSaveMoment(text);
  if (moment === undefined) throw new InvalidArgumentError("Write exit, text=TEXT or instructions=N.");
  return moment;
}

export function addBootOptions(command: Command): Command {
  return command
    .option("--kernel <file>", "a kernel: Linux (bzImage, vmlinux), multiboot, PVH")
    .option("--initrd <file>", "its initial RAM disk, or its multiboot module")
    .option("--append <text>", "its command line", "")
    .addOption(
      new Option(
        "--disk <file>[,ro][,snapshot]",
        "a disk (raw image or ISO); snapshot: changes are gone at the end; without a kernel the first one is booted",
      )
        .argParser(parseDisk)
        .default([], "none"),
    )
    .option("--bios <file>", "firmware in place of our own BIOS, such as SeaBIOS's bios.bin")
    .addOption(
      new Option("--device <spec>", "another device: isa-debug-exit[,iobase=0xf4][,iosize=4]")
        .argParser(parseDevice)
        .default([], "none"),
    )
    .addOption(
      new Option("--memory <size>", "how much memory the machine has")
        .argParser(parseMemory)
        .default(undefined, "512M"),
    )
    .addOption(new Option("--cpus <n>", "how many processors it has").argParser(parseCpus).default(1, "1"))
    .addOption(
      new Option("--engine <name>", "what executes the code: interp or jit")
        .argParser(parseEngine)
        .default(DEFAULT_ENGINE, DEFAULT_ENGINE.engines.join()),
    )
    .addOption(
      new Option("--jit-memory <size>", "how much WebAssembly the JIT may keep")
        .argParser(parseSize)
        .default(DEFAULT_JIT_MEMORY, `${DEFAULT_JIT_MEMORY / MIB}M`),
    )
    .addOption(new Option("--jit-thresholds <warm,hot,batch,samples>").argParser(parseThresholds).hideHelp())
    .addOption(
      new Option(
        "--cpu <kind>",
        "the processor's level of x86-64: v2, or v3 with AVX2 (default: v3)",
      ).argParser(parseModel),
    )
    .addOption(
      new Option(
        "--display <kind>",
        "show the VGA text screen on stderr when the machine ends, or Ctrl-A t: text",
      )
        .choices(["none", "text"])
        .default("none"),
    )
    .option("--no-reboot", "end instead of starting again when the guest resets the machine")
    .option("--save <file>", "save the machine to this file on Ctrl-A s")
    .addOption(
      new Option(
        "--save-at <moment>",
        "save it and end then: exit (Ctrl-A x or a signal), text=TEXT (the console prints it), instructions=N",
      ).argParser(parseMoment),
    )
    .option("--restore <file>", "go on with a saved machine instead of booting one")
    .option("--verbose", "show more about crashes", false)
    .addOption(new Option("--share <dir>").argParser(unavailable).hideHelp())
    .addOption(new Option("--net <kind>").argParser(unavailable).hideHelp())
    .addOption(gdbOption())
    .option("--deterministic", "run on instruction time: the same input gives the same run", false)
    .option("--stats", "print instructions, time and speed to stderr at the end", false);
}
