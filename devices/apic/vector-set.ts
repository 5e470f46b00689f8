/** A register of 256 bits, one for each vector: IRR, ISR, TMR (Intel SDM vol. 3, 11.8.4). */

export class VectorSet {
  /** As eight 32-bit registers. */
  readonly words = new Uint32Array(8);

  add(vector: number): void {
    this.words[vector >>> 5] |= 1 << (vector & 31);
  }

  delete(vector: number): void {
    this.words[vector >>> 5] &= ~(1 << (vector & 31));
  }

  has(vector: number): boolean {
    return (this.words[vector >>> 5] & (1 << (vector & 31))) !== 0;
  }

  /** The highest vector, or -1. */
  highest(): number {
    for (let index = 7; index >= 0; index--) {
      const word = this.words[index];
      if (word !== 0) return index * 32 + 31 - Math.clz32(word);
    }
    return -1;
  }

  clear(): void {
    this.words.fill(0);
  }
}
