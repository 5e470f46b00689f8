/** The options that describe the machine and what runs on it: shared by `run`, `boot`, `debug` and the shell. */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { JitThresholds } from "../cpu/engines/jit/thresholds.ts";
import { MODELS, type ModelName } from "../cpu/model.ts";
import type { DebugOptions } from "./debug-session.ts";
import { DEFAULT_OPTIONS, MIB } from "./default-options.ts";
import { ENGINES, type EngineChoice, parseEngineChoice } from "./engines.ts";

/** How the command line describes a machine. Sizes are in bytes. */
export interface MachineOptions extends DebugOptions {
  /** Host directory that becomes the root file system; without it, the built-in image. */
  root?: string;
  /** Changes to the root go to memory and are gone at exit. */
  ro: boolean;
  /** "K=V", in the order given. */
  env: readonly string[];
  cwd?: string;
  memory: number;
  engine: EngineChoice;
  jitThresholds?: Partial<JitThresholds>;
  /** Bytes of WebAssembly that the JIT may have in use. */
  jitMemory: number;
  /** The kind of processor. */
  cpu: ModelName;
  verbose: boolean;
  trace: readonly TraceTopic[];
  deterministic: boolean;
  stats: boolean;
  /** Where to write the code that the engine generates. */
  dumpCode?: string;
}

/** What `--trace` can show. */
export const TRACE_TOPICS = ["syscalls"] as const;
export type TraceTopic = (typeof TRACE_TOPICS)[number];

const COMING_ENGINES = ["native"];

/** Less than this holds no Linux program with its stack. */
const LEAST_MEMORY = 4 * MIB;
/** Guest RAM lies in one 32-bit WebAssembly memory, below the CPU's state and tables. */
const MOST_MEMORY = 3584 * MIB;

/**
 * Reads a size such as `512M`, `2G`, `65536K` or `1.5GiB` (powers of 1024; plain digits are bytes).
 * @throws InvalidArgumentError for anything else
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text);
  const [, digits = "", unit = ""] = match ?? [];
  const bytes = Number(digits) * 1024 ** " KMGT".indexOf(unit.toUpperCase() || " ");
  if (match === null || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("Write a size such as 512M or 2G.");
  }
  return bytes;
}

export function parseMemory(text: string): number {
  const bytes = parseSize(text);
  if (bytes < LEAST_MEMORY || bytes > MOST_MEMORY) {
    throw new InvalidArgumentError(`It must be from ${LEAST_MEMORY / MIB}M to ${MOST_MEMORY / MIB}M.`);
  }
  return Math.floor(bytes / 4096) * 4096;
}

export function parseEngine(text: string): EngineChoice {
  const choice = parseEngineChoice(text);
  if (choice !== undefined) return choice;
  if (COMING_ENGINES.includes(text)) {
    throw new InvalidArgumentError(`It is not available in this version, which has: ${ENGINES.join(", ")}.`);
  }
  throw new InvalidArgumentError(
    `The engines are: ${ENGINES.join(", ")}; and check=A,B for two in lockstep.`,
  );
}

export function parseThresholds(text: string): Partial<JitThresholds> {
  const [warm = 0, hot = 0, batch = 0, samples = -1] = text.split(",").map(Number);
  if (!(warm >= 1 && hot >= 1 && batch >= 1 && samples >= 0)) {
    throw new InvalidArgumentError("Write WARM,HOT,BATCH,SAMPLES: 1,1,1,0 compiles all, for good.");
  }
  return { warm, hot, batch, samples, free: Number.POSITIVE_INFINITY };
}

export function parseModel(text: string): ModelName {
  const model = Object.values(MODELS).find(({ name }) => name === text);
  if (model !== undefined) return model.name;
  throw new InvalidArgumentError(`The kinds are: ${Object.keys(MODELS).join(", ")}.`);
}

function parseTrace(text: string, before: readonly TraceTopic[]): TraceTopic[] {
  const topics = text.split(",").map((name) => {
    const topic = TRACE_TOPICS.find((known) => known === name);
    if (topic === undefined) throw new InvalidArgumentError(`It can show: ${TRACE_TOPICS.join(", ")}.`);
    return topic;
  });
  return [...before, ...topics];
}

function parseEnvironment(text: string, before: readonly string[]): string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError("Write NAME=VALUE.");
  return [...before, text];
}

export function parseCpus(text: string): number {
  if (text === "1") return 1;
  throw new InvalidArgumentError("This version has one processor.");
}

function parseNet(text: string): string {
  if (text === "none") return text;
  throw new InvalidArgumentError("This version has no network: only none.");
}

/** For options of the contract that this version has not got: they are known, and refused by name. */
export function unavailable(): never {
  throw new InvalidArgumentError("It is not available in this version.");
}

function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65535) return port;
  throw new InvalidArgumentError("A port is a number up to 65535.");
}

export const DEFAULT_GDB_PORT = 1234;

export function gdbOption(): Option {
  return new Option(
    "--gdb [port]",
    `wait for gdb on a port of this host (${DEFAULT_GDB_PORT}), before the first instruction`,
  )
    .argParser(parsePort)
    .preset(String(DEFAULT_GDB_PORT));
}

/** Adds the machine's options to a command; its action gets them as {@link MachineOptions}. */
export function addMachineOptions(command: Command): Command {
  return command
    .option("--root <dir>", "root file system: a host directory (default: the built-in image)")
    .option("--ro", "do not write to it: changes go to memory and are gone at exit", false)
    .addOption(
      new Option("--env <k=v>", "an environment variable; may be repeated")
        .argParser(parseEnvironment)
        .default([], "PATH, HOME, TERM"),
    )
    .option("--cwd <dir>", "the working directory, in the guest")
    .addOption(
      new Option("--memory <size>", "how much memory the machine has")
        .argParser(parseMemory)
        .default(DEFAULT_OPTIONS.memory, `${DEFAULT_OPTIONS.memory / MIB}M`),
    )
    .addOption(new Option("--cpus <n>", "how many processors it has").argParser(parseCpus).default(1, "1"))
    .addOption(
      new Option("--engine <name>", `what executes the code: ${ENGINES.join(", ")}; check=A,B compares two`)
        .argParser(parseEngine)
        .default(DEFAULT_OPTIONS.engine, DEFAULT_OPTIONS.engine.engines.join()),
    )
    .addOption(
      new Option("--jit-memory <size>", "how much WebAssembly the JIT may keep")
        .argParser(parseSize)
        .default(DEFAULT_OPTIONS.jitMemory, "64M"),
    )
    .addOption(new Option("--jit-thresholds <warm,hot,batch,samples>").argParser(parseThresholds).hideHelp())
    .addOption(
      new Option("--cpu <kind>", "the processor's level of x86-64: v2, or v3 with AVX2")
        .argParser(parseModel)
        .default(DEFAULT_OPTIONS.cpu),
    )
    .option("--verbose", "show the kernel's log and more about crashes", false)
    .addOption(
      new Option("--trace <what>", `print what happens: ${TRACE_TOPICS.join(", ")}`)
        .argParser(parseTrace)
        .default([], "nothing"),
    )
    .addOption(new Option("--net <kind>", "the network").argParser(parseNet).default("none"))
    .addOption(new Option("--forward <spec>").argParser(unavailable).hideHelp())
    .addOption(new Option("--disk <file>").argParser(unavailable).hideHelp())
    .addOption(gdbOption())
    .option("--deterministic", "run on instruction time: the same input gives the same run", false)
    .option("--dump-code <dir>", "write the code that the engine generates to this directory")
    .option("--stats", "print instructions, time and speed to stderr at the end", false);
}
