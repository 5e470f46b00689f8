/**
 * Where the processor's accesses to ports and to memory-mapped registers go. RAM is not here: the engines reach it
 * themselves, and come here with every physical address that is not RAM.
 *
 * Accesses have 1, 2 or 4 bytes; the processor makes two of an access of 8. Values are unsigned JS numbers.
 */

export type AccessSize = 1 | 2 | 4;

/** Registers in the I/O address space. Offsets are from the first port that was mapped. */
export interface PortDevice {
  readPort(offset: number, size: AccessSize): number;
  writePort(offset: number, size: AccessSize, value: number): void;
}

/** Registers in the memory address space. Offsets are from the first address that was mapped. */
export interface MemoryDevice {
  readMemory(offset: number, size: AccessSize): number;
  writeMemory(offset: number, size: AccessSize, value: number): void;
}

/** What a region can be removed with. */
export interface Mapping {
  unmap(): void;
}

interface Region<Device> {
  readonly start: number;
  readonly end: number;
  readonly device: Device;
  /** Wider accesses reach the device as several of this many bytes, lowest address first. */
  readonly width: AccessSize;
}

/** All ones: what a read finds where nothing answers. */
function floating(size: AccessSize): number {
  return 2 ** (8 * size) - 1;
}

const PORTS = 0x10000;

export class Bus {
  private readonly portRegions: Region<PortDevice>[] = [];
  private readonly memoryRegions: Region<MemoryDevice>[] = [];
  /** Ports that have been used, and who answers; forgotten when a region comes or goes. */
  private readonly knownPorts = new Map<number, Region<PortDevice>>();
  private lastMemory: Region<MemoryDevice> | undefined;

  /**
   * Gives `[start, start + length)` of the I/O space to a device. Where regions overlap (a guest may place PCI devices
   * anywhere) the one that was mapped first answers.
   */
  mapPorts(start: number, length: number, device: PortDevice, width: AccessSize = 1): Mapping {
    const region = { start, end: Math.min(start + length, PORTS), device, width };
    this.portRegions.push(region);
    this.knownPorts.clear();
    return {
      unmap: () => {
        remove(this.portRegions, region);
        this.knownPorts.clear();
      },
    };
  }

  /** The same for physical memory addresses. */
  mapMemory(start: number, length: number, device: MemoryDevice, width: AccessSize = 4): Mapping {
    const region = { start, end: start + length, device, width };
    this.memoryRegions.push(region);
    this.lastMemory = undefined;
    return {
      unmap: () => {
        remove(this.memoryRegions, region);
        this.lastMemory = undefined;
      },
    };
  }

  readPort(port: number, size: AccessSize): number {
    const region = this.portRegion(port);
    if (region === undefined || port + size > region.end) {
      return size === 1
        ? floating(1)
        : this.combine(size, (index) => this.readPort((port + index) & 0xffff, 1));
    }
    const { device, width, start } = region;
    if (size <= width) return device.readPort(port - start, size);
    return this.combine(size, (index) => device.readPort(port - start + index, width), width);
  }

  writePort(port: number, size: AccessSize, value: number): void {
    const region = this.portRegion(port);
    if (region === undefined || port + size > region.end) {
      if (size > 1)
        this.split(size, value, 1, (index, part) => this.writePort((port + index) & 0xffff, 1, part));
      return;
    }
    const { device, width, start } = region;
    if (size <= width) device.writePort(port - start, size, value);
    else this.split(size, value, width, (index, part) => device.writePort(port - start + index, width, part));
  }

  readMemory(address: number, size: AccessSize): number {
    const region = this.memoryRegion(address);
    if (region === undefined || address + size > region.end) return floating(size);
    const { device, width, start } = region;
    if (size <= width) return device.readMemory(address - start, size);
    return this.combine(size, (index) => device.readMemory(address - start + index, width), width);
  }

  writeMemory(address: number, size: AccessSize, value: number): void {
    const region = this.memoryRegion(address);
    if (region === undefined || address + size > region.end) return;
    const { device, width, start } = region;
    if (size <= width) device.writeMemory(address - start, size, value);
    else
      this.split(size, value, width, (index, part) =>
        device.writeMemory(address - start + index, width, part),
      );
  }

  private portRegion(port: number): Region<PortDevice> | undefined {
    const known = this.knownPorts.get(port);
    if (known !== undefined) return known;
    const region = this.portRegions.find(({ start, end }) => port >= start && port < end);
    if (region !== undefined) this.knownPorts.set(port, region);
    return region;
  }

  private memoryRegion(address: number): Region<MemoryDevice> | undefined {
    const last = this.lastMemory;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const region = this.memoryRegions.find(({ start, end }) => address >= start && address < end);
    this.lastMemory = region;
    return region;
  }

  private combine(size: AccessSize, read: (index: number) => number, width: AccessSize = 1): number {
    let value = 0;
    for (let index = 0; index < size; index += width) value += read(index) * 2 ** (8 * index);
    return value;
  }

  private split(
    size: AccessSize,
    value: number,
    width: AccessSize,
    write: (index: number, part: number) => void,
  ): void {
    for (let index = 0; index < size; index += width) write(index, (value >>> (8 * index)) & floating(width));
  }
}

function remove<Item>(list: Item[], item: Item): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
