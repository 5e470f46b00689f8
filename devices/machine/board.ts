/** The board of our PC: which devices it has, at which addresses, and which wires lead where. It knows no processor. */

import { VirtioBlock } from "../../virtio/devices/block/block-device.ts";
import { VirtioPci } from "../../virtio/transport/virtio-pci.ts";
import { AcpiPowerManagement, PM_PORT } from "../acpi/power-management.ts";
import { type AcpiBoard, type AcpiImage, buildAcpiTables, TIMER_GSI } from "../acpi/tables.ts";
import { ApicBus } from "../apic/apic-bus.ts";
import { IO_APIC_INPUTS, IO_APIC_LENGTH, IoApic } from "../apic/io-apic.ts";
import { LocalApic, type ProcessorPins } from "../apic/local-apic.ts";
import { Bios } from "../bios/bios.ts";
import { Bus } from "../bus.ts";
import type { Clock, WallClock } from "../clock.ts";
import { BOCHS_DEBUG_PORT, DebugConsole, SEABIOS_DEBUG_PORT } from "../debug-console.ts";
import { FwCfg, FwCfgKey } from "../fw-cfg.ts";
import type { GuestMemory } from "../guest-memory.ts";
import { HPET_BASE, HPET_LENGTH, Hpet } from "../hpet.ts";
import { I8042 } from "../i8042.ts";
import { I8254 } from "../i8254.ts";
import { I8259Pair } from "../i8259.ts";
import { fanOut, type InterruptLine } from "../interrupt-line.ts";
import { IsaDebugExit } from "../isa-debug-exit.ts";
import { KvmParavirtual } from "../kvm/kvm-paravirtual.ts";
import { Mc146818, RTC_PORT } from "../mc146818.ts";
import { PciRootBus } from "../pci/root-bus.ts";
import { PVPANIC_PORT, PvPanic } from "../pvpanic.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import { buildSmbios, type SmbiosImage } from "../smbios.ts";
import type { BlockBackend } from "../storage/block-backend.ts";
import { COM1, type SerialBackend, Uart16550 } from "../uart16550.ts";
import { VgaText } from "../vga-text.ts";
import { Layout, memoryMap } from "./memory-layout.ts";
import type { StopReason } from "./stop-reason.ts";

const UART_PORTS = 8;
const RTC_PORTS = 2;
const SCI_IRQ = 9;
/** INTA# of the PCI slots, in turn. */
const PCI_IRQS = [10, 11] as const;

export interface DebugExitPlace {
  readonly port: number;
  readonly ports: number;
}

export interface BoardOptions {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly pins: ProcessorPins;
  /** The processor's time-stamp counter less the clock. */
  readonly tscOffset: () => number;
  /** The guest wants the machine to stop. */
  readonly stop: (reason: StopReason) => void;
  /** The other end of COM1. */
  readonly serial: SerialBackend;
  /** What is printed at the debug ports. */
  readonly debugOutput: (byte: number) => void;
  /** What firmware prints at its own debug port (402H), if not the same. */
  readonly firmwareLog?: (byte: number) => void;
  /** Where `isa-debug-exit` is, if there is one. */
  readonly debugExit?: DebugExitPlace;
  /** Disks, each a virtio block device on the PCI bus. */
  readonly disks?: readonly BlockBackend[];
  /** The machine has our own BIOS. `called`: the processor is to stop behind its instruction, for Bios.serve(). */
  readonly bios?: { readonly called: () => void };
  /** Something has happened outside of the processor's run: a disk has answered. */
  readonly wake?: () => void;
  readonly version: string;
}

export class Board implements Saveable {
  readonly bus = new Bus();
  readonly localApic: LocalApic;
  readonly kvm: KvmParavirtual;
  readonly uart: Uart16550;
  readonly rtc: Mc146818;
  readonly keyboard: I8042;
  readonly vga: VgaText;
  readonly pci: PciRootBus;
  readonly fwCfg: FwCfg;
  readonly powerManagement: AcpiPowerManagement;
  readonly acpi: AcpiImage;
  readonly bios: Bios | undefined;
  readonly smbios: SmbiosImage;
  private readonly memory: GuestMemory;
  private readonly ioApic: IoApic;
  private readonly pic: I8259Pair;
  private readonly pit: I8254;
  private readonly hpet: Hpet;
  /** While the HPET replaces them, the 8254 and the RTC reach no controller. */
  private legacyReplaced = false;
  /**
   * Everything with a state, by the name it is saved under. Interrupt controllers come last: what the others do to their
   * inputs while they are restored is then forgotten.
   */
  private readonly parts: Readonly<Record<string, Saveable & { reset?(): void }>>;

  constructor(options: BoardOptions) {
    const { bus } = this;
    const { clock, wall, memory, pins, stop } = options;
    this.memory = memory;
    const apicBus = new ApicBus();
    this.ioApic = new IoApic(apicBus);
    apicBus.listen(this.ioApic);
    bus.mapMemory(Layout.IO_APIC, IO_APIC_LENGTH, this.ioApic);

    this.pic = new I8259Pair({ set: (level) => this.localApic.pin(0).set(level) });
    this.pic.mapOn(bus);
    this.kvm = new KvmParavirtual({
      clock,
      wall,
      memory,
      timeStampCounter: () => clock.now() + options.tscOffset(),
    });
    this.localApic = new LocalApic({
      id: 0,
      bootstrap: true,
      clock,
      bus,
      apicBus,
      pins,
      external: this.pic,
      tscDeadline: (tsc) => Number(tsc) - options.tscOffset(),
      eoiFlag: this.kvm.eoiFlag,
    });

    const legacy = [this.irq(0), this.irq(8)] as const;
    this.hpet = new Hpet(clock, {
      legacy: (timer) => legacy[timer],
      ioApic: (input) => this.ioApic.line(input % IO_APIC_INPUTS),
    });
    this.hpet.onLegacyReplacement = (replaced) => {
      this.legacyReplaced = replaced;
    };
    bus.mapMemory(HPET_BASE, HPET_LENGTH, this.hpet);
    this.pit = new I8254(clock, this.unlessReplaced(legacy[0]));
    this.pit.mapOn(bus);
    this.rtc = new Mc146818(clock, wall, this.unlessReplaced(legacy[1]));
    bus.mapPorts(RTC_PORT, RTC_PORTS, this.rtc);

    this.uart = new Uart16550(clock, this.irq(COM1.irq), options.serial);
    bus.mapPorts(COM1.port, UART_PORTS, this.uart);
    const reset = () => stop({ kind: "reset" });
    this.keyboard = new I8042(this.irq(1), { reset, a20: () => {} }); // A20 is always on
    this.keyboard.mapOn(bus);
    this.powerManagement = new AcpiPowerManagement(clock, this.irq(SCI_IRQ), {
      reset,
      powerOff: () => stop({ kind: "power-off" }),
    });
    this.powerManagement.mapOn(bus);

    this.vga = new VgaText(memory);
    this.vga.mapOn(bus);
    const printer = new DebugConsole(options.debugOutput);
    bus.mapPorts(BOCHS_DEBUG_PORT, 1, printer);
    const { firmwareLog } = options;
    const log = firmwareLog === undefined ? printer : new DebugConsole(firmwareLog);
    bus.mapPorts(SEABIOS_DEBUG_PORT, 1, log);
    bus.mapPorts(PVPANIC_PORT, 1, new PvPanic((crashLoaded) => stop({ kind: "guest-panic", crashLoaded })));
    if (options.debugExit !== undefined) {
      const exit = new IsaDebugExit((status) => stop({ kind: "debug-exit", status }));
      bus.mapPorts(options.debugExit.port, options.debugExit.ports, exit, 4);
    }
    this.fwCfg = new FwCfg(memory);
    this.fwCfg.mapOn(bus);

    this.pci = new PciRootBus(bus, apicBus, {
      ecam: Layout.ECAM,
      memory: { start: Layout.PCI_MEMORY, end: Layout.PCI_MEMORY_END },
      io: { start: Layout.PCI_IO, end: Layout.PCI_IO_END },
      interrupts: PCI_IRQS.map((irq) => ({ irq, line: this.irq(irq) })),
    });
    for (const [index, backend] of (options.disks ?? []).entries()) {
      const completed = options.wake ?? (() => {});
      const disk = new VirtioBlock({ backend, serial: `osv-vm-${index}`, completed });
      this.pci.add(new VirtioPci(disk, memory));
    }
    if (options.bios !== undefined) {
      this.bios = new Bios({
        memory,
        bus,
        clock,
        keyboard: this.keyboard,
        uart: this.uart,
        disks: options.disks ?? [],
        memoryMap: memoryMap(memory.size),
        transmit: (byte) => options.serial.transmit(byte),
        keyWanted: () => options.serial.receiverReady?.(),
        called: options.bios.called,
        stop,
      });
    }
    this.parts = {
      pit: this.pit,
      hpet: this.hpet,
      rtc: this.rtc,
      uart: this.uart,
      keyboard: this.keyboard,
      vga: this.vga,
      powerManagement: this.powerManagement,
      fwCfg: this.fwCfg,
      pci: this.pci,
      kvm: this.kvm,
      ...(this.bios !== undefined && { bios: this.bios }),
      pic: this.pic,
      ioApic: this.ioApic,
      localApic: this.localApic,
    };
    this.acpi = buildAcpiTables(this.description, Layout.ACPI_TABLES);
    this.smbios = buildSmbios(Layout.SMBIOS, memory.size, options.version);
    this.describeToFirmware();
  }

  get ramSize(): number {
    return this.memory.size;
  }

  /** The ACPI tables for another place. */
  acpiTablesAt(address: number): AcpiImage {
    return buildAcpiTables(this.description, address);
  }

  private get description(): AcpiBoard {
    return {
      processors: 1,
      localApicBase: Layout.LOCAL_APIC,
      ioApicBase: Layout.IO_APIC,
      pci: this.pci.resources,
      powerManagementPort: PM_PORT,
      sciIrq: SCI_IRQ,
      secondSerialPort: false,
    };
  }

  private describeToFirmware(): void {
    const word = (value: number, bytes: number) => {
      const data = new Uint8Array(bytes);
      new DataView(data.buffer).setUint16(0, value, true);
      return data;
    };
    const ram = new Uint8Array(8);
    new DataView(ram.buffer).setBigUint64(0, BigInt(this.memory.size), true);
    this.fwCfg.set(FwCfgKey.RamSize, ram);
    this.fwCfg.set(FwCfgKey.NumberOfCpus, word(1, 2));
  }

  /** An ISA interrupt: the 8259's input and the I/O APIC's; IRQ 0 has another input there. */
  private irq(number: number): InterruptLine {
    return fanOut(this.pic.line(number), this.ioApic.line(number === 0 ? TIMER_GSI : number));
  }

  private unlessReplaced(line: InterruptLine): InterruptLine {
    return {
      set: (level) => {
        if (!this.legacyReplaced) line.set(level);
      },
    };
  }

  /**
   * Bytes from the other end of COM1's cable: for the keyboard while our BIOS has the terminal.
   * @returns how many have been taken
   */
  receive(bytes: Uint8Array): number {
    return this.bios?.hasTerminal ? this.bios.type(bytes) : this.uart.receive(bytes);
  }

  resetParts(): void {
    for (const part of Object.values(this.parts)) part.reset?.();
  }

  /** Power-on or reset, and what firmware does before it starts a system. */
  reset(): void {
    this.resetParts();
    this.pic.initializeAsFirmware([SCI_IRQ, ...PCI_IRQS]);
    this.localApic.initializeAsFirmware();
    this.pci.configureAsFirmware();
    this.memory.write(Layout.ACPI_TABLES, this.acpi.bytes);
    this.memory.write(Layout.SMBIOS, this.smbios.bytes);
    this.bios?.setUp();
  }

  save(): SavedState {
    const parts = Object.entries(this.parts).map(([name, part]) => [name, part.save()] as const);
    return { version: 1, ...Object.fromEntries(parts) };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("the board", saved, 1);
    for (const [name, part] of Object.entries(this.parts)) part.restore(state.state(name));
  }
}
