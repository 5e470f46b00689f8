/** Reads the encodings of the WebAssembly binary format (core spec, 5.2): the other direction of byte-writer.ts. */
export class ByteReader {
  at = 0;
  private readonly view: DataView;

  constructor(private readonly source: Uint8Array) {
    this.view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }

  get atEnd(): boolean {
    return this.at >= this.source.length;
  }

  /** @throws RangeError behind the end, as all of these do */
  byte(): number {
    return this.view.getUint8(this.at++);
  }

  bytes(length: number): Uint8Array {
    if (this.at + length > this.source.length) throw new RangeError("the bytes end too early");
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }

  /** Unsigned LEB128 below 2^32. */
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** Signed LEB128 of at most 64 bits. */
  s64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; ) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return BigInt.asIntN(Number(shift), value);
    }
  }

  s32(): number {
    return Number(this.s64());
  }

  f32(): number {
    this.at += 4;
    return this.view.getFloat32(this.at - 4, true);
  }

  f64(): number {
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }

  /** The bits of a float, for NaNs. */
  bits(length: 4 | 8): bigint {
    const at = this.at;
    this.at += length;
    return length === 4 ? BigInt(this.view.getUint32(at, true)) : this.view.getBigUint64(at, true);
  }

  /** Length-prefixed UTF-8. */
  name(): string {
    return new TextDecoder().decode(this.bytes(this.u32()));
  }

  /** A reader of the next, length-prefixed part. */
  sized(): ByteReader {
    return new ByteReader(this.bytes(this.u32()));
  }
}
