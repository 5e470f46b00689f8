/** A growing byte buffer with the encodings that the WebAssembly binary format uses (core spec, 5.2). */
export class ByteWriter {
  private buffer = new Uint8Array(256);
  length = 0;

  private reserve(extra: number): void {
    if (this.length + extra <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + extra));
    grown.set(this.buffer);
    this.buffer = grown;
  }

  byte(value: number): this {
    this.reserve(1);
    this.buffer[this.length++] = value;
    return this;
  }

  bytes(values: Uint8Array | readonly number[]): this {
    this.reserve(values.length);
    this.buffer.set(values, this.length);
    this.length += values.length;
    return this;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit integer. */
  s32(value: number): this {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit integer. */
  s64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit integer given as its two halves. */
  s64halves(low: number, high: number): this {
    return high === low >> 31 ? this.s32(low) : this.s64((BigInt(high) << 32n) | BigInt(low >>> 0));
  }

  f32(value: number): this {
    return this.bytes(new Uint8Array(new Float32Array([value]).buffer));
  }

  f64(value: number): this {
    return this.bytes(new Uint8Array(new Float64Array([value]).buffer));
  }

  /** Length-prefixed UTF-8. */
  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.u32(encoded.length).bytes(encoded);
  }

  /** Length-prefixed contents of another writer. */
  sized(content: ByteWriter): this {
    return this.u32(content.length).bytes(content.toBytes());
  }

  toBytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}
