/** Names of addresses, from as many files as there are. Addresses are signed numbers, as engines have them. */

export interface ProgramSymbol {
  readonly name: string;
  readonly address: number;
  /** Bytes; 0 if it is not known. */
  readonly size: number;
  readonly isCode: boolean;
}

/** A symbol of unknown size is believed this far. */
const REACH = 1 << 20;

export class SymbolTable {
  private readonly sorted: ProgramSymbol[] = [];
  private readonly byName = new Map<string, ProgramSymbol>();
  private isSorted = true;

  get size(): number {
    return this.sorted.length;
  }

  add(symbols: Iterable<ProgramSymbol>): void {
    for (const symbol of symbols) {
      this.sorted.push(symbol);
      // The first one of a name is the one: a program's before a library's.
      if (!this.byName.has(symbol.name)) this.byName.set(symbol.name, symbol);
    }
    this.isSorted = false;
  }

  named(name: string): ProgramSymbol | undefined {
    return this.byName.get(name);
  }

  /** Names that begin so, in order; at most `limit`. */
  completions(prefix: string, limit: number): string[] {
    const found: string[] = [];
    for (const name of this.byName.keys()) if (name.startsWith(prefix)) found.push(name);
    return found.sort().slice(0, limit);
  }

  /** Symbols whose names match. */
  *matching(pattern: RegExp): Generator<ProgramSymbol> {
    for (const symbol of this.byName.values()) if (pattern.test(symbol.name)) yield symbol;
  }

  private sort(): void {
    if (this.isSorted) return;
    // Where several names are equal, the last one is found: code before data, sized before unsized.
    this.sorted.sort(
      (a, b) => a.address - b.address || Number(a.isCode) - Number(b.isCode) || a.size - b.size,
    );
    this.isSorted = true;
  }

  /** The symbol that an address belongs to. */
  at(address: number): ProgramSymbol | undefined {
    this.sort();
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    for (let index = low - 1; index >= 0 && index > low - 4; index--) {
      const symbol = this.sorted[index];
      if (address < symbol.address + (symbol.size || REACH)) return symbol;
    }
    return undefined;
  }

  /** "main+0x1c", or undefined. */
  describe(address: number): string | undefined {
    const symbol = this.at(address);
    if (symbol === undefined) return undefined;
    const offset = address - symbol.address;
    return offset === 0 ? symbol.name : `${symbol.name}+0x${offset.toString(16)}`;
  }
}
