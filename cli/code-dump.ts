/**
 * `--dump-code DIR`: writes the code that engines generate, each piece beside the guest code it was made of, and an
 * index. The files are bounded in number and size.
 */

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cpu } from "../cpu/cpu.ts";
import type { CodeObserver, CodePiece, CodeRegion } from "../cpu/engine.ts";
import { PART_COUNT } from "../cpu/engines/interp/parts.ts";
import { PageFault } from "../mmu/mmu.ts";
import { builtFile } from "./built-file.ts";
import { describeFileError } from "./file-error.ts";

const MOST_FILES = 20_000;
const MOST_BYTES = 512 * 2 ** 20;
const INDEX = "index.txt";

type Debug = typeof import("../debug/disassembly.ts") &
  typeof import("../debug/record-listing.ts") &
  typeof import("../debug/wat.ts");

/** Loads what the files are written with, which takes 70 ms. */
async function loadDebug(): Promise<Debug> {
  const parts = await Promise.all([
    import("../debug/disassembly.ts"),
    import("../debug/record-listing.ts"),
    import("../debug/wat.ts"),
  ]);
  return Object.assign({}, ...parts);
}

/** @throws CommandError if the directory cannot be written */
export async function createCodeDump(directory: string): Promise<CodeDump> {
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, INDEX), "# file, guest address, guest code, size of what was generated\n");
  } catch (error) {
    throw describeFileError(`--dump-code ${directory}`, error);
  }
  return new CodeDump(directory, await loadDebug());
}

export class CodeDump implements CodeObserver {
  private files = 0;
  private bytes = 0;
  private modules = 0;
  private readonly versions = new Map<string, number>();
  private handlerNames: readonly string[] | undefined;
  /** Whose memory the guest code is read from; set once there is one. */
  cpu: Cpu | undefined;
  /** Records of an engine that only begins with them say little. */
  skipRecords = false;

  constructor(
    private readonly directory: string,
    private readonly debug: Debug,
  ) {}

  onCode(piece: CodePiece): void {
    switch (piece.language) {
      case "javascript":
        for (const region of piece.regions)
          this.write(region, "js", String(piece.content), piece.content.length);
        break;
      case "wasm":
        if (typeof piece.content !== "string") this.writeModule(piece.content, piece.regions);
        break;
      case "records":
        if (!this.skipRecords && typeof piece.content !== "string")
          this.writeRecords(piece.content, piece.regions);
    }
  }

  private writeModule(content: Uint8Array, regions: readonly CodeRegion[]): void {
    const file = `module-${String(++this.modules).padStart(4, "0")}.wasm`;
    if (!this.put(file, content)) return;
    const functions = new Map(this.debug.printFunctions(content).map((printed) => [printed.name, printed]));
    for (const region of regions) {
      const printed = functions.get(region.name ?? "");
      if (printed === undefined) continue;
      const head = `${region.name} in ${file}: ${printed.size} bytes of WebAssembly\n\n`;
      this.write(region, "txt", `${head}${this.guestCode(region)}\n${printed.text}\n`, printed.size);
    }
  }

  private writeRecords(content: Uint8Array, regions: readonly CodeRegion[]): void {
    this.handlerNames ??= this.copyInterpreter();
    const records = this.debug.listRecords(content, this.handlerNames);
    for (const region of regions) {
      const text = records.map(({ handler, fields }, index) => {
        const block = region.blocks[index];
        return `${this.instructions(block.rip, block.end)}      ${handler}\n      ${fields}\n`;
      });
      this.write(region, "txt", text.join(""), content.length);
    }
  }

  /** The interpreter's handlers are what records name. */
  private copyInterpreter(): readonly string[] {
    const parts = Array.from({ length: PART_COUNT }, (_, part) => {
      const name = `interp-${part}.wasm`;
      const bytes = readFileSync(builtFile(name));
      this.put(name, bytes);
      return bytes;
    });
    return this.debug.tableNames(parts);
  }

  /** The disassembly of a region, block by block in the order of their addresses. */
  private guestCode({ blocks }: CodeRegion): string {
    const ordered = [...blocks].sort((a, b) => a.rip - b.rip);
    return ordered.map(({ rip, end }) => `${this.instructions(rip, end)}\n`).join("");
  }

  private instructions(rip: number, end: number): string {
    const code = new Uint8Array(end - rip);
    try {
      this.cpu?.mmu.read(rip, code);
    } catch (error) {
      if (error instanceof PageFault) return `${rip.toString(16).padStart(8)}:\t(cannot be read)\n`;
      throw error;
    }
    const { disassemble, formatInstruction } = this.debug;
    return [...disassemble(code, BigInt(rip))]
      .map((line) => `${formatInstruction(line).trimEnd()}\n`)
      .join("");
  }

  /** One file for a region, named by its address; code that is generated again gets a number. */
  private write(region: CodeRegion, extension: string, text: string, size: number): void {
    const address = region.rip.toString(16);
    const version = (this.versions.get(address) ?? 0) + 1;
    this.versions.set(address, version);
    const file = `${address}${version > 1 ? `.${version}` : ""}.${extension}`;
    if (!this.put(file, text)) return;
    const guest = region.blocks.reduce((sum, { rip, end }) => sum + end - rip, 0);
    const blocks = region.blocks.length;
    this.note(
      `${file}\t${address}\t${guest} bytes in ${blocks} ${blocks === 1 ? "piece" : "pieces"}\t${size} bytes`,
    );
  }

  /** @returns false if there is enough already */
  private put(file: string, content: string | Uint8Array): boolean {
    if (this.files > MOST_FILES || this.bytes > MOST_BYTES) return false;
    this.files++;
    this.bytes += content.length;
    if (this.files > MOST_FILES || this.bytes > MOST_BYTES) {
      this.note(`# no more files: ${this.files - 1} with ${this.bytes - content.length} bytes are enough`);
      return false;
    }
    writeFileSync(join(this.directory, file), content);
    return true;
  }

  private note(line: string): void {
    appendFileSync(join(this.directory, INDEX), `${line}\n`);
  }
}
