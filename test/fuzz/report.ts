/** Prints findings and coverage for people. */

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { CODE } from "./arena.ts";
import { Case, Fx } from "./case.ts";
import { extended, FLAG_NAMES, REGISTER_NAMES, vector } from "./compare.ts";
import { EXCLUSIONS } from "./exclusions.ts";
import type { Failure, Summary } from "./fuzzer.ts";
import { FCW_DEFAULT, FIXED_FLAGS, MXCSR_DEFAULT } from "./initial-state.ts";
import { VENDOR_DIFFERENCES, type VendorDifferences } from "./vendor-differences.ts";

/** A case as text that `--case` takes. */
export function encodeCase(value: Case): string {
  return deflateRawSync(value.bytes.subarray(0, value.size), { level: 9 }).toString("base64url");
}

/** @throws RangeError if the text is no case */
export function decodeCase(text: string): Case {
  const decoded = new Case();
  try {
    decoded.copyFromBytes(inflateRawSync(Buffer.from(text, "base64url"), { maxOutputLength: 1 << 16 }));
  } catch {
    throw new RangeError("--case takes the text that an earlier run printed; this is none");
  }
  return decoded;
}

/** One line of disassembly with its bytes. */
function disassemble(bytes: Uint8Array, address: number): string {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = BigInt(address);
  const instruction = decoder.decode();
  const formatter = new Formatter(FormatterSyntax.Intel);
  const text = formatter.format(instruction);
  formatter.free();
  instruction.free();
  decoder.free();
  const code = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `  ${address.toString(16)}: ${code.padEnd(32)}  ${text}`;
}

export function describeFailure(failure: Failure): string {
  const lines: string[] = [];
  const code = new Map<number, Uint8Array>();
  failure.case.forEachPatch((address, bytes) => {
    if (address >= CODE.address) code.set(address, bytes);
  });
  const { steps } = failure.analysis;
  for (const { address, length, mnemonic } of steps) {
    if (mnemonic === "nop" && steps.length > 1) continue;
    for (const [start, bytes] of code) {
      if (address < start || address >= start + bytes.length) continue;
      lines.push(disassemble(bytes.subarray(address - start, address - start + length), address));
    }
  }
  if (steps.length === 0) {
    for (const [start, bytes] of code) lines.push(disassemble(bytes.subarray(0, 15), start));
  }
  lines.push(...describeInputs(failure.case));
  const width = Math.max(...failure.differences.map(({ what }) => what.length), 8);
  for (const { what, silicon, ours } of failure.differences.slice(0, 12)) {
    lines.push(`  ${what.padEnd(width)}  silicon ${silicon}`, `  ${"".padEnd(width)}  ours    ${ours}`);
  }
  if (failure.differences.length > 12)
    lines.push(`  … and ${failure.differences.length - 12} more differences`);
  lines.push(`  npm run fuzz -- --case ${encodeCase(failure.case)}`);
  return lines.join("\n");
}

/** What is not zero, masked or default. */
function describeInputs(initial: Case): string[] {
  const inputs: string[] = [];
  REGISTER_NAMES.forEach((name, index) => {
    if (initial.gpr[index] !== 0n) inputs.push(`${name}=${initial.gpr[index].toString(16)}`);
  });
  const flags = FLAG_NAMES.filter(([, bit]) => (initial.rflags & bit & ~FIXED_FLAGS) !== 0).map(
    ([name]) => name,
  );
  if (flags.length > 0) inputs.push(`flags=${flags.join("+")}`);
  if (initial.mxcsr !== MXCSR_DEFAULT) inputs.push(`mxcsr=${initial.mxcsr.toString(16)}`);
  if (initial.fcw !== FCW_DEFAULT) inputs.push(`fcw=${initial.fcw.toString(16)}`);
  if (initial.fsw !== 0) inputs.push(`fsw=${initial.fsw.toString(16)}`);
  if (initial.ftw !== 0) inputs.push(`ftw=${initial.ftw.toString(16)}`);
  const isZero = (at: number, length: number) =>
    initial.fx.subarray(at, at + length).every((byte) => byte === 0);
  for (let index = 0; index < 8; index++) {
    const at = Fx.ST + 16 * index;
    if (!isZero(at, 10)) inputs.push(`st${index}=${extended(initial, at)}`);
  }
  for (let index = 0; index < 16; index++) {
    const at = Fx.XMM + 16 * index;
    if (!isZero(at, 16)) inputs.push(`xmm${index}=${vector(initial.fx, at)}`);
  }
  for (let index = 0; index < 16; index++) {
    const high = initial.ymm.subarray(16 * index, 16 * index + 16);
    if (high.some((byte) => byte !== 0)) inputs.push(`ymm${index}.high=${vector(high, 0)}`);
  }
  initial.forEachPatch((address, bytes) => {
    if (address >= CODE.address) return;
    const text = [...bytes.subarray(0, 32)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    inputs.push(`[${address.toString(16)}]=${text}${bytes.length > 32 ? "…" : ""}`);
  });
  const lines: string[] = [];
  let line = "  with";
  for (const input of inputs) {
    if (line.length + input.length > 118) {
      lines.push(line);
      line = "      ";
    }
    line += ` ${input}`;
  }
  return inputs.length > 0 ? [...lines, line] : [];
}

/** What the host does differently than our processor, and how often that mattered. */
export function describeVendorDifferences({ counts }: VendorDifferences): string[] {
  if (counts.size === 0) return [];
  const lines = ["differences between vendors:"];
  for (const [name, count] of counts) {
    const { what, way, source } = VENDOR_DIFFERENCES[name];
    lines.push(`${String(count).padStart(8)}  ${way}: ${what} (${source})`);
  }
  return lines;
}

export function describeSummary(summary: Summary, seconds: number): string {
  const lines = [
    `${summary.cases} cases, ${summary.instructions} instructions in ${seconds.toFixed(1)} s ` +
      `(${Math.round(summary.cases / seconds)} cases/s); ${summary.exceptions} ended in an exception` +
      (summary.skipped > 0 ? `, ${summary.skipped} in a way that is not compared` : ""),
  ];
  for (const message of summary.encodingMismatches) lines.push(`decoder: ${message}`);
  if (summary.failed > 0) {
    lines.push(`${summary.failed} cases differ, in ${summary.failures.size} ways:`);
    lines.push(...groupFailures(summary));
  }
  return lines.join("\n");
}

/** What differs, and in which instructions: one bug often shows in many. */
function groupFailures({ failures }: Summary): string[] {
  const groups = new Map<string, Failure[]>();
  for (const failure of failures.values()) {
    const group = groups.get(failure.kind) ?? [];
    group.push(failure);
    groups.set(failure.kind, group);
  }
  const total = (group: readonly Failure[]) => group.reduce((sum, { count }) => sum + count, 0);
  return [...groups]
    .sort(([, a], [, b]) => total(b) - total(a))
    .map(([kind, group]) => {
      const names = group
        .sort((a, b) => b.count - a.count)
        .map(({ instructions, count }) => `${instructions} ${count}`);
      return `${String(total(group)).padStart(8)}  ${kind}: ${names.join(", ")}`;
    });
}

/** An opcode row as a person would look it up. */
export function rowName(row: OpcodeRow): string {
  const map = row.map === "legacy" ? "" : `${row.map} `;
  const opcode = row.opcode.toString(16).padStart(2, "0");
  const extension = row.extension === undefined ? "" : `/${row.extension}`;
  const operands = row.operands.map(({ class: name, size }) => `${name}:${size}`).join(", ");
  return `${row.mnemonic} (${row.prefix === undefined ? "" : `${row.prefix} `}${map}${opcode}${extension} ${operands})`;
}

export interface Coverage {
  readonly rows: readonly OpcodeRow[];
  readonly skipped: ReadonlyMap<string, readonly OpcodeRow[]>;
}

/** How often each row ran, what never did, what is not generated and why. */
export function describeCoverage(summary: Summary, { rows, skipped }: Coverage): string {
  const lines = ["", "mnemonic         completed  interrupted"];
  const byMnemonic = new Map<string, [number, number]>();
  for (const { id, mnemonic } of rows) {
    const counts = byMnemonic.get(mnemonic) ?? [0, 0];
    counts[0] += summary.completed[id];
    counts[1] += summary.interrupted[id];
    byMnemonic.set(mnemonic, counts);
  }
  for (const [mnemonic, [completed, interrupted]] of [...byMnemonic].sort()) {
    lines.push(
      `${mnemonic.padEnd(14)} ${String(completed).padStart(11)} ${String(interrupted).padStart(12)}`,
    );
  }
  lines.push("", "not generated:");
  for (const [why, list] of skipped) {
    lines.push(`  ${why}: ${[...new Set(list.map(({ mnemonic }) => mnemonic))].join(" ")}`);
  }
  for (const { mnemonics, from, why } of EXCLUSIONS) {
    if (from === "sequences") lines.push(`  only alone, not in sequences (${why}): ${mnemonics}`);
    if (from === "forms") lines.push(`  not in every form (${why}): ${mnemonics}`);
  }
  return lines.join("\n");
}

/** Rows that were never executed at all. */
export function neverHit(summary: Summary, rows: readonly OpcodeRow[]): OpcodeRow[] {
  return rows.filter(({ id }) => summary.completed[id] + summary.interrupted[id] === 0);
}
