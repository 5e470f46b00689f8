/** Base address registers: PCI Local Bus specification 3.0, 6.2.5. */

import type { Bus, Mapping, MemoryDevice, PortDevice } from "../bus.ts";
import { ConfigOffset, type ConfigSpace } from "./config-space.ts";

/** What is behind a BAR. Sizes are powers of two: at least 16 bytes of memory or 4 ports. */
export type BarRegion =
  | { readonly kind: "io"; readonly size: number; readonly device: PortDevice }
  | {
      readonly kind: "memory";
      readonly size: number;
      readonly device: MemoryDevice;
      /** Takes two registers; software may place it above 4 GiB. */
      readonly is64Bit?: boolean;
      readonly prefetchable?: boolean;
    };

const MEMORY_64 = 0x4;
const MEMORY_PREFETCHABLE = 0x8;
const IO_SPACE = 0x1;
const PORTS = 0x10000;
/** Addresses of more bits than the processor has reach nothing. */
const ADDRESS_LIMIT = 2 ** 40;

export class BaseAddress {
  private mapping: Mapping | undefined;
  private mappedAt = -1;
  readonly offset: number;

  constructor(
    private readonly config: ConfigSpace,
    /** 0…5 */
    readonly index: number,
    readonly region: BarRegion,
  ) {
    this.offset = ConfigOffset.Bar0 + index * 4;
    const { size } = region;
    if (size < 4 || (size & (size - 1)) !== 0) throw new Error(`a BAR of ${size} bytes`);
    config.allow(this.offset, 4, -size);
    if (region.kind === "io") config.view.setUint32(this.offset, IO_SPACE, true);
    else {
      const type = (region.is64Bit ? MEMORY_64 : 0) | (region.prefetchable ? MEMORY_PREFETCHABLE : 0);
      config.view.setUint32(this.offset, type, true);
      if (region.is64Bit) config.allow(this.offset + 4, 4, 0xffffffff);
    }
  }

  /** Where software has put it. */
  get address(): number {
    const low = this.config.view.getUint32(this.offset, true);
    const { region } = this;
    if (region.kind === "io") return (low & ~3) >>> 0;
    const high = region.is64Bit ? this.config.view.getUint32(this.offset + 4, true) : 0;
    return high * 2 ** 32 + ((low & ~0xf) >>> 0);
  }

  /** Moves the region on the bus to where the register says, or takes it off. */
  update(bus: Bus, isDecoded: boolean): void {
    const { region, address } = this;
    const limit = region.kind === "io" ? PORTS : ADDRESS_LIMIT;
    const place = isDecoded && address !== 0 && address + region.size <= limit ? address : -1;
    if (place === this.mappedAt) return;
    this.mapping?.unmap();
    this.mappedAt = place;
    if (place < 0) this.mapping = undefined;
    else if (region.kind === "io") this.mapping = bus.mapPorts(place, region.size, region.device, 4);
    else this.mapping = bus.mapMemory(place, region.size, region.device);
  }
}
