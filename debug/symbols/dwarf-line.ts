/**
 * Source lines: the line number programs of .debug_line, versions 2 to 5 (DWARF 5, section 6.2). What is malformed ends
 * the program that it is in, and no more.
 */

export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

interface Row {
  readonly address: number;
  /** Index into the files; -1 ends a sequence. */
  readonly file: number;
  readonly line: number;
  readonly isStatement: boolean;
}

// Standard and extended opcodes (7.22), content types and forms (7.5.6) as far as they occur in line tables.
const DW_LNS = {
  copy: 1,
  advance_pc: 2,
  advance_line: 3,
  set_file: 4,
  set_column: 5,
  negate_stmt: 6,
  set_basic_block: 7,
  const_add_pc: 8,
  fixed_advance_pc: 9,
} as const;
const DW_LNE = { end_sequence: 1, set_address: 2, define_file: 3 } as const;
const DW_LNCT = { path: 1, directory_index: 2 } as const;
const DW_FORM = {
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  data1: 0x0b,
  strp: 0x0e,
  udata: 0x0f,
  data16: 0x1e,
  line_strp: 0x1f,
} as const;
const MOST_ROWS = 20_000_000;

/** Thrown inside when a table ends too early. */
class Malformed extends Error {}

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  u8(): number {
    if (this.at >= this.end) throw new Malformed();
    return this.bytes[this.at++];
  }

  unsigned(size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) value += this.u8() * 2 ** (8 * index);
    return value;
  }

  address(size: number): number {
    let value = 0n;
    for (let index = 0; index < size; index++) value |= BigInt(this.u8()) << BigInt(8 * index);
    return Number(size === 8 ? BigInt.asIntN(64, value) : value);
  }

  uleb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      if (shift < 63) value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let shift = 0; ; ) {
      const byte = this.u8();
      if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
      if ((byte & 0x80) === 0) return (byte & 0x40) !== 0 && shift < 56 ? value - 2 ** shift : value;
    }
  }

  string(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw new Malformed();
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }
}

function stringFrom(section: Uint8Array, offset: number): string {
  if (offset >= section.length) return "";
  return new Reader(section, offset, section.length).string();
}

export class LineTable {
  private readonly starts: readonly number[];

  constructor(
    private readonly files: readonly string[],
    private readonly rows: readonly Row[],
  ) {
    this.starts = rows.map(({ address }) => address);
  }

  get size(): number {
    return this.rows.length;
  }

  /** The row that an address belongs to. */
  private indexAt(address: number): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  at(address: number): SourceLine | undefined {
    const row = this.rows[this.indexAt(address)];
    if (row === undefined || row.file < 0 || row.line === 0) return undefined;
    return { file: this.files[row.file], line: row.line };
  }

  /** Addresses that belong to the same line as this one, around it: `[start, end)`. */
  rangeAt(address: number): { start: number; end: number } | undefined {
    const index = this.indexAt(address);
    const row = this.rows[index];
    if (row === undefined || row.file < 0) return undefined;
    const isSame = (other: Row | undefined) => other?.file === row.file && other.line === row.line;
    let first = index;
    while (isSame(this.rows[first - 1])) first--;
    let last = index;
    while (isSame(this.rows[last + 1])) last++;
    const end = this.rows[last + 1];
    return end === undefined ? undefined : { start: this.rows[first].address, end: end.address };
  }

  /** Where the code of a line begins: the first statement of the line, or of the next one that has any. */
  addressOf(file: string, line: number): number | undefined {
    const wanted = this.files.flatMap((name, index) =>
      name === file || name.endsWith(`/${file}`) ? [index] : [],
    );
    let best: Row | undefined;
    for (const row of this.rows) {
      if (!row.isStatement || row.line < line || !wanted.includes(row.file)) continue;
      if (
        best === undefined ||
        row.line < best.line ||
        (row.line === best.line && row.address < best.address)
      )
        best = row;
    }
    return best?.address;
  }

  /** The address behind a function's prologue: its second line, as compilers mark it. */
  behindPrologue(start: number, end: number): number | undefined {
    const first = this.indexAt(start);
    if (this.rows[first]?.address !== start) return undefined;
    for (let index = first + 1; index < this.rows.length; index++) {
      const row = this.rows[index];
      if (row.file < 0 || row.address >= end) return undefined;
      if (row.isStatement && row.address > start) return row.address;
    }
    return undefined;
  }
}

/** @param program,lineStrings,strings .debug_line, .debug_line_str, .debug_str */
export function readLineTable(program: Uint8Array, lineStrings: Uint8Array, strings: Uint8Array): LineTable {
  const files: string[] = [];
  const rows: Row[] = [];
  for (let at = 0; at + 4 <= program.length && rows.length < MOST_ROWS; ) {
    const outer = new Reader(program, at, program.length);
    const unit = at;
    try {
      let length = outer.unsigned(4);
      const offsetSize = length === 0xffffffff ? 8 : 4;
      if (offsetSize === 8) length = outer.unsigned(8);
      const end = outer.at + length;
      if (end > program.length || length === 0) break;
      at = end;
      readUnit(new Reader(program, outer.at, end), offsetSize, { lineStrings, strings }, files, rows);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      if (at === unit) break; // not even its length is there
    }
  }
  rows.sort((a, b) => a.address - b.address || Number(a.file >= 0) - Number(b.file >= 0));
  return new LineTable(files, rows);
}

interface Strings {
  readonly lineStrings: Uint8Array;
  readonly strings: Uint8Array;
}

function readUnit(reader: Reader, offsetSize: number, strings: Strings, files: string[], rows: Row[]): void {
  const version = reader.unsigned(2);
  if (version < 2 || version > 5) return;
  let addressSize = 8;
  if (version >= 5) {
    addressSize = reader.u8();
    reader.u8(); // segment selector size
  }
  const headerLength = reader.unsigned(offsetSize);
  const programStart = reader.at + headerLength;
  const minimumLength = reader.u8();
  if (version >= 4) reader.u8(); // maximum operations per instruction
  const defaultIsStatement = reader.u8() !== 0;
  const lineBase = (reader.u8() << 24) >> 24;
  const lineRange = reader.u8() || 1;
  const opcodeBase = reader.u8();
  const lengths = Array.from({ length: Math.max(0, opcodeBase - 1) }, () => reader.u8());
  const names = version >= 5 ? fileNames5(reader, offsetSize, strings) : fileNames2(reader);
  const fileBase = files.length;
  files.push(...names);

  reader.at = programStart;
  let address = 0;
  let file = 1;
  let line = 1;
  let isStatement = defaultIsStatement;
  const row = (isEnd: boolean): void => {
    const index = file < names.length && file >= 0 ? fileBase + file : -1;
    rows.push({ address, file: isEnd ? -1 : index, line, isStatement });
  };
  const reset = (): void => {
    address = 0;
    file = 1;
    line = 1;
    isStatement = defaultIsStatement;
  };
  while (reader.at < reader.end) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      address += Math.floor(adjusted / lineRange) * minimumLength;
      line += lineBase + (adjusted % lineRange);
      row(false);
      continue;
    }
    switch (opcode) {
      case 0: {
        const length = reader.uleb();
        const next = reader.at + length;
        const extended = length === 0 ? 0 : reader.u8();
        if (extended === DW_LNE.end_sequence) {
          row(true);
          reset();
        } else if (extended === DW_LNE.set_address)
          address = reader.address(Math.min(length - 1, addressSize));
        reader.at = next;
        break;
      }
      case DW_LNS.copy:
        row(false);
        break;
      case DW_LNS.advance_pc:
        address += reader.uleb() * minimumLength;
        break;
      case DW_LNS.advance_line:
        line += reader.sleb();
        break;
      case DW_LNS.set_file:
        file = reader.uleb();
        break;
      case DW_LNS.negate_stmt:
        isStatement = !isStatement;
        break;
      case DW_LNS.const_add_pc:
        address += Math.floor((255 - opcodeBase) / lineRange) * minimumLength;
        break;
      case DW_LNS.fixed_advance_pc:
        address += reader.unsigned(2);
        break;
      default:
        for (let count = lengths[opcode - 1] ?? 0; count > 0; count--) reader.uleb();
    }
  }
}

function join(directory: string | undefined, name: string): string {
  return name.startsWith("/") || directory === undefined || directory === "" ? name : `${directory}/${name}`;
}

/** Versions 2 to 4: file 0 does not exist, directory 0 is where the compiler ran. */
function fileNames2(reader: Reader): string[] {
  const directories = [""];
  for (let name = reader.string(); name !== ""; name = reader.string()) directories.push(name);
  const files = [""];
  for (let name = reader.string(); name !== ""; name = reader.string()) {
    files.push(join(directories[reader.uleb()], name));
    reader.uleb();
    reader.uleb();
  }
  return files;
}

function fileNames5(reader: Reader, offsetSize: number, strings: Strings): string[] {
  const table = (directories: readonly string[] | undefined): string[] => {
    const formats = Array.from({ length: reader.u8() }, () => [reader.uleb(), reader.uleb()] as const);
    const count = reader.uleb();
    const names: string[] = [];
    for (let index = 0; index < count; index++) {
      if (formats.length === 0) throw new Malformed();
      let name = "";
      let directory = 0;
      for (const [content, form] of formats) {
        const value = readForm(reader, form, offsetSize, strings);
        if (content === DW_LNCT.path) name = String(value);
        else if (content === DW_LNCT.directory_index) directory = Number(value);
      }
      names.push(directories === undefined ? name : join(directories[directory], name));
    }
    return names;
  };
  // Directory 0 is where the compiler ran; the others may be relative to it.
  const directories = table(undefined);
  return table(directories.map((directory) => join(directories[0], directory)));
}

function readForm(reader: Reader, form: number, offsetSize: number, { lineStrings, strings }: Strings) {
  switch (form) {
    case DW_FORM.string:
      return reader.string();
    case DW_FORM.line_strp:
      return stringFrom(lineStrings, reader.unsigned(offsetSize));
    case DW_FORM.strp:
      return stringFrom(strings, reader.unsigned(offsetSize));
    case DW_FORM.udata:
      return reader.uleb();
    case DW_FORM.data1:
      return reader.u8();
    case DW_FORM.data2:
      return reader.unsigned(2);
    case DW_FORM.data4:
      return reader.unsigned(4);
    case DW_FORM.data8:
      return reader.unsigned(8);
    case DW_FORM.data16:
      reader.unsigned(8);
      return reader.unsigned(8);
    case DW_FORM.block: {
      const length = reader.uleb();
      if (reader.at + length > reader.end) throw new Malformed();
      reader.at += length;
      return 0;
    }
    default:
      throw new Malformed();
  }
}
