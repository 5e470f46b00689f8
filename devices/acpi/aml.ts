/**
 * Writes ACPI Machine Language, as far as our DSDT needs it: ACPI specification 6.3, chapter 20 "AML Specification", and
 * 6.4 for resource descriptors. Every function returns the bytes of one term; terms nest.
 */

export type Aml = readonly number[];

const Op = {
  Zero: 0x00,
  One: 0x01,
  Name: 0x08,
  BytePrefix: 0x0a,
  WordPrefix: 0x0b,
  DWordPrefix: 0x0c,
  StringPrefix: 0x0d,
  QWordPrefix: 0x0e,
  Scope: 0x10,
  Buffer: 0x11,
  Package: 0x12,
  DualNamePrefix: 0x2e,
  MultiNamePrefix: 0x2f,
  ExtPrefix: 0x5b,
  Device: 0x82,
} as const;

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}

/** PkgLength: how long what follows is, itself included (20.2.4). */
function withLength(body: readonly number[]): number[] {
  for (let extra = 0; extra <= 3; extra++) {
    const length = body.length + 1 + extra;
    if (extra === 0 ? length < 0x40 : length < 2 ** (4 + 8 * extra)) {
      const lead = extra === 0 ? [length] : [(extra << 6) | (length & 0xf), ...little(length >>> 4, extra)];
      return [...lead, ...body];
    }
  }
  throw new Error("an AML term is too long");
}

/** NameString (20.2.2): "\\_SB.PCI0", "COM1". Segments shorter than four characters are padded with "_". */
function nameString(path: string): number[] {
  const isRoot = path.startsWith("\\");
  const segments = path
    .slice(isRoot ? 1 : 0)
    .split(".")
    .filter((segment) => segment !== "");
  const lead = isRoot ? [0x5c] : [];
  const bytes = segments.flatMap((segment) =>
    [...segment.padEnd(4, "_")].map((letter) => letter.charCodeAt(0)),
  );
  if (segments.length === 0) return [...lead, 0];
  if (segments.length === 1) return [...lead, ...bytes];
  if (segments.length === 2) return [...lead, Op.DualNamePrefix, ...bytes];
  return [...lead, Op.MultiNamePrefix, segments.length, ...bytes];
}

export function integer(value: number): Aml {
  if (value === 0) return [Op.Zero];
  if (value === 1) return [Op.One];
  if (value <= 0xff) return [Op.BytePrefix, value];
  if (value <= 0xffff) return [Op.WordPrefix, ...little(value, 2)];
  if (value <= 0xffffffff) return [Op.DWordPrefix, ...little(value, 4)];
  return [Op.QWordPrefix, ...little(value, 8)];
}

export function text(value: string): Aml {
  return [Op.StringPrefix, ...[...value].map((letter) => letter.charCodeAt(0)), 0];
}

/** "PNP0A08" as the number that stands for it (19.3.4, EISAID). */
export function eisaId(id: string): Aml {
  const letters = [0, 1, 2].map((index) => id.charCodeAt(index) - 0x40);
  const product = Number.parseInt(id.slice(3), 16);
  const vendor = (letters[0] << 10) | (letters[1] << 5) | letters[2];
  return [Op.DWordPrefix, vendor >>> 8, vendor & 0xff, product >>> 8, product & 0xff];
}

export function name(path: string, value: Aml): Aml {
  return [Op.Name, ...nameString(path), ...value];
}

export function scope(path: string, ...terms: readonly Aml[]): Aml {
  return [Op.Scope, ...withLength([...nameString(path), ...terms.flat()])];
}

export function device(path: string, ...terms: readonly Aml[]): Aml {
  return [Op.ExtPrefix, Op.Device, ...withLength([...nameString(path), ...terms.flat()])];
}

export function packageOf(...elements: readonly Aml[]): Aml {
  return [Op.Package, ...withLength([elements.length, ...elements.flat()])];
}

export function buffer(bytes: Aml): Aml {
  return [Op.Buffer, ...withLength([...integer(bytes.length), ...bytes])];
}

// ---- resource descriptors (6.4) ----

/** A buffer of descriptors, closed by the end tag (6.4.2.9; a checksum of 0 counts as right). */
export function resources(...descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0]);
}

/** Ports that are fixed (6.4.2.5). */
export function ioPorts(first: number, count: number): Aml {
  return [0x47, 0x01, ...little(first, 2), ...little(first, 2), 1, count];
}

/** An ISA interrupt: edge, active high, exclusive (6.4.2.1). */
export function irq(line: number): Aml {
  return [0x22, ...little(1 << line, 2)];
}

export function memory32(base: number, length: number): Aml {
  return [0x86, ...little(9, 2), 1, ...little(base, 4), ...little(length, 4)];
}

/** An address window of a bridge (6.4.3.5). Type 0: memory, 1: ports, 2: buses. */
function window(
  tag: number,
  bytes: 2 | 4,
  type: number,
  typeFlags: number,
  first: number,
  last: number,
): Aml {
  const flags = 0x0c; // minimum and maximum are fixed; decoded positively; a producer
  const body = [
    type,
    flags,
    typeFlags,
    ...little(0, bytes),
    ...little(first, bytes),
    ...little(last, bytes),
    ...little(0, bytes),
    ...little(last - first + 1, bytes),
  ];
  return [tag, ...little(body.length, 2), ...body];
}

export function busWindow(first: number, last: number): Aml {
  return window(0x88, 2, 2, 0, first, last);
}

/** Ports of the whole range, ISA and not. */
export function portWindow(first: number, last: number): Aml {
  return window(0x88, 2, 1, 3, first, last);
}

/** @param cacheable the VGA window; otherwise plain read-write memory */
export function memoryWindow(first: number, last: number, cacheable = false): Aml {
  return window(0x87, 4, 0, 1 | (cacheable ? 1 << 1 : 0), first, last);
}
