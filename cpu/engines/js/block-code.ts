/** The JavaScript text of a block: a straight run of guest instructions as one function. */

import type { Instructions } from "../../ir/value.ts";
import { Binding } from "./binding.ts";
import { address, RELOAD } from "./code-text.ts";
import { JsLowering, type LoweredInstruction } from "./lower.ts";
import { registerName } from "./register-names.ts";
import { sourceMapUrl } from "./source-map.ts";

/** One guest instruction, or two that are lowered together: what sets flags, and the conditional jump behind it. */
export interface BlockInstruction extends LoweredInstruction {
  readonly instructions: Instructions;
  readonly record: DataView;
  /** The jump of a joined pair. */
  readonly second: LoweredInstruction | undefined;
}

export interface BlockSource {
  readonly rip: number;
  /** Address behind the last instruction. */
  readonly end: number;
  readonly instructions: readonly BlockInstruction[];
  /** A line of text about the instruction at an address: bytes and disassembly. */
  describe(rip: number): string;
  /** Distinguishes the versions of code at one address. */
  readonly version: number;
  readonly sourceMap: boolean;
  /** A debugger that is attached stops before it. */
  readonly stops: boolean;
}

export interface BlockCode {
  /** An expression whose value is a function (runtime, block, helpers) that returns the block's function. */
  readonly text: string;
  /** The guest's instructions, one a line: what the source map leads to. */
  readonly listing: string;
  /** Address of each instruction. */
  readonly rips: readonly number[];
}

/** @param runtimeNames what the runtime offers to generated code */
export function generateBlock(source: BlockSource, runtimeNames: readonly string[]): BlockCode {
  return new BlockGenerator(source).generate(runtimeNames);
}

/** Where listings and scripts appear in a debugger's list of sources. */
function urlsOf(rip: number, version: number): { script: string; listing: string } {
  const name = `${address(rip).replace("0x", "")}${version > 1 ? `.${version}` : ""}`;
  return { script: `osv-vm:///js/${name}.js`, listing: `osv-vm:///guest/${name}.s` };
}

class BlockGenerator {
  private readonly lowering: JsLowering;
  private readonly rips: number[] = [];
  private readonly listing: string[] = [];
  /** Line of the listing that each line of the lowering belongs to. */
  private readonly lines: number[] = [];

  constructor(private readonly source: BlockSource) {
    const [first] = source.instructions;
    this.lowering = new JsLowering(new Binding(first.record), first);
  }

  generate(runtimeNames: readonly string[]): BlockCode {
    const { source, lowering } = this;
    const last = source.instructions.at(-1);
    for (const instruction of source.instructions) this.instruction(instruction, instruction === last);
    if (last !== undefined && !last.instructions.transfers) lowering.line(`return ${address(source.end)};`);
    this.mapLines();
    return this.assemble(runtimeNames);
  }

  private instruction(instruction: BlockInstruction, isLast: boolean): void {
    const { lowering } = this;
    this.begin(instruction.rip);
    const { body } = instruction.instructions;
    lowering.lower(body, new Binding(instruction.record), instruction, () => {
      const { second } = instruction;
      if (second === undefined) throw new Error("there is no second instruction");
      this.begin(second.rip);
      return second;
    });
    if (!isLast && instruction.instructions.observable && mayWrite(body)) {
      lowering.line(`if (block.isStale) return interrupted(${address(instruction.next)});`);
    }
  }

  /** The lines that follow belong to the instruction at an address. */
  private begin(rip: number): void {
    this.mapLines();
    const text = this.source.describe(rip);
    this.lowering.line(`// ${text}`);
    this.listing.push(text);
    if (this.rips.push(rip) > 1) this.lowering.line(`rip = ${address(rip)};`);
    else if (this.source.stops) this.lowering.line("debugger;");
    // A comment is no place to stop at.
    this.lines.push(-1);
  }

  private mapLines(): void {
    while (this.lines.length < this.lowering.lines.length) this.lines.push(this.listing.length - 1);
  }

  private assemble(runtimeNames: readonly string[]): BlockCode {
    const { source, lowering } = this;
    const registers = [...lowering.registers].sort((a, b) => a - b).map((index) => registerName(index, 64));
    const element = (name: string) => `r64[${name.toUpperCase()}]`;
    for (const index of lowering.registers) lowering.places.set(registerName(index, 64).toUpperCase(), index);
    const reload = registers.map((name) => `${name} = ${element(name)};`).join(" ");
    const faults = source.instructions.some(({ instructions }) => instructions.observable);
    const indent = faults ? "    " : "  ";
    const body = lowering.lines.map((line) => indent + line.replace(RELOAD, reload));

    const head: string[] = [];
    const constants = [...lowering.places].map(([name, index]) => `${name} = ${index}`);
    if (constants.length > 0) head.push(`const ${constants.join(", ")};`);
    lowering.vectors.forEach((text, index) => {
      head.push(`const VECTOR${index + 1} = ${text};`);
    });
    for (const [name, alias] of lowering.helpers)
      head.push(`const ${alias} = helpers[${JSON.stringify(name)}];`);
    head.push(
      `return function block_${address(source.rip).replace(/^(-?)0x/, (_, sign) => (sign ? "upper_" : ""))}() {`,
    );
    head.push(`  let rip = ${address(source.rip)};`);
    if (registers.length > 0)
      head.push(`  let ${registers.map((name) => `${name} = ${element(name)}`).join(", ")};`);
    if (faults) head.push("  try {");
    const tail = faults ? ["  } catch (error) {", "    return fault(error, rip);", "  }"] : [];
    tail.push("};", "})");

    const words = new Set([...head, ...body, ...tail].join("\n").match(/[A-Za-z_]\w*/g));
    const used = runtimeNames.filter((name) => words.has(name));
    head.unshift(`(({ ${used.join(", ")} }, block, helpers) => {`);

    const { script, listing: listingUrl } = urlsOf(source.rip, source.version);
    const listing = `${this.listing.join("\n")}\n`;
    const lines = [...head, ...body, ...tail, `//# sourceURL=${script}`];
    if (source.sourceMap) {
      // The last two: the lines of the URLs.
      const mapped = [...head.map(() => -1), ...this.lines, ...tail.map(() => -1), -1, -1];
      lines.push(`//# sourceMappingURL=${sourceMapUrl(listingUrl, listing, mapped)}`);
    }
    const text = lines.join("\n");
    return { text, listing, rips: this.rips };
  }
}

/** Could it change code? */
function mayWrite(body: Instructions["body"]): boolean {
  return body.some((statement) => {
    switch (statement.do) {
      case "store":
      case "commit":
      case "helper":
        return true;
      case "if":
        return mayWrite(statement.yes) || mayWrite(statement.no);
      case "loop":
        return mayWrite(statement.body);
      default:
        return false;
    }
  });
}
