/* Timers and the ways of their interrupts: 8254, 8259, I/O APIC, local APIC; the TSC; HLT. */
#include "kernel.h"

#define PIC_VECTOR 0x20
#define APIC_VECTOR 0x50
#define TIMER_VECTOR 0x51
#define SPURIOUS_VECTOR 0xff
#define PIC1 0x20
#define PIC2 0xa0
#define END_OF_INTERRUPT 0x20
#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define PIT_HZ 1193182
#define TICKS 20

#define LOCAL_APIC 0xfee00000ull
#define APIC_ID 0x020
#define APIC_EOI 0x0b0
#define APIC_SPURIOUS 0x0f0
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_INITIAL_COUNT 0x380
#define APIC_CURRENT_COUNT 0x390
#define APIC_DIVIDE 0x3e0
#define APIC_ICR_LOW 0x300
#define PERIODIC (1u << 17)
#define MASKED (1u << 16)
#define SELF (1u << 18)
#define IO_APIC 0xfec00000ull
/* IRQ 0 is the I/O APIC's input 2. */
#define TIMER_INPUT 2

extern char page_directory[];
static uint64_t device_directory[512] __attribute__((aligned(4096)));
static volatile int ticks;

static volatile uint32_t *local_apic(uint32_t offset) { return (volatile uint32_t *)(LOCAL_APIC + offset); }
static void write_io_apic(uint32_t index, uint32_t value) {
  *(volatile uint32_t *)IO_APIC = index;
  *(volatile uint32_t *)(IO_APIC + 0x10) = value;
}

/* The fourth GiB, uncached, for the APICs. */
static void map_devices(void) {
  for (uint64_t entry = 0; entry < 512; entry++)
    device_directory[entry] = (3ull << 30 | entry << 21) | 0x9b;
  uint64_t *root = (uint64_t *)(READ_CR(3) & ~0xfffull);
  uint64_t *directories = (uint64_t *)(root[0] & ~0xfffull);
  directories[3] = (uint64_t)device_directory | 3;
  WRITE_CR(3, READ_CR(3));
}

static void start_pit(int hz) {
  uint16_t count = PIT_HZ / hz;
  out8(PIT_COMMAND, 0x34); /* channel 0, rate generator */
  out8(PIT_CHANNEL0, count & 0xff);
  out8(PIT_CHANNEL0, count >> 8);
}

void mask_pics(uint8_t first) {
  out8(PIC1 + 1, first);
  out8(PIC2 + 1, 0xff);
}

static void set_up_pics(void) {
  out8(PIC1, 0x11);
  out8(PIC2, 0x11);
  out8(PIC1 + 1, PIC_VECTOR);
  out8(PIC2 + 1, PIC_VECTOR + 8);
  out8(PIC1 + 1, 4);
  out8(PIC2 + 1, 2);
  out8(PIC1 + 1, 1);
  out8(PIC2 + 1, 1);
}

static void on_pic_tick(struct frame *frame) {
  (void)frame;
  ticks++;
  out8(PIC1, END_OF_INTERRUPT);
}
static void on_apic_tick(struct frame *frame) {
  (void)frame;
  ticks++;
  *local_apic(APIC_EOI) = 0;
}

/* Sleeps until there were so many ticks. An interrupt between the look and HLT must not be lost: STI's shadow. */
static void wait_for_ticks(int count) {
  ticks = 0;
  for (;;) {
    cli();
    if (ticks >= count) break;
    __asm__ volatile("sti; hlt" ::: "memory");
  }
}

void check_timers(void) {
  set_up_pics();
  handle(PIC_VECTOR, on_pic_tick);
  mask_pics(0xfe);
  start_pit(1000);
  uint64_t begin = rdtsc();
  wait_for_ticks(TICKS);
  check(rdtsc() > begin, "the 8254 interrupts through the 8259, and HLT wakes up");
  mask_pics(0xff);

  ticks = 0;
  sti();
  for (volatile int round = 0; round < 100000; round++) {
  }
  cli();
  check(ticks == 0, "a masked interrupt does not come");

  map_devices();
  *local_apic(APIC_SPURIOUS) = 0x100 | SPURIOUS_VECTOR;
  *local_apic(APIC_LVT_LINT0) = MASKED;
  handle(APIC_VECTOR, on_apic_tick);
  write_io_apic(0x10 + 2 * TIMER_INPUT + 1, *local_apic(APIC_ID));
  write_io_apic(0x10 + 2 * TIMER_INPUT, APIC_VECTOR);
  wait_for_ticks(TICKS);
  check(ticks == TICKS, "the 8254 interrupts through the I/O APIC");
  write_io_apic(0x10 + 2 * TIMER_INPUT, MASKED);

  handle(TIMER_VECTOR, on_apic_tick);
  *local_apic(APIC_DIVIDE) = 0xb; /* by 1 */
  *local_apic(APIC_LVT_TIMER) = TIMER_VECTOR | PERIODIC;
  *local_apic(APIC_INITIAL_COUNT) = 1000000;
  wait_for_ticks(TICKS);
  check(ticks == TICKS, "the local APIC's timer, periodic");
  check(*local_apic(APIC_CURRENT_COUNT) <= 1000000, "its current count");
  *local_apic(APIC_LVT_TIMER) = TIMER_VECTOR;
  *local_apic(APIC_INITIAL_COUNT) = 100000;
  wait_for_ticks(1);
  check(*local_apic(APIC_CURRENT_COUNT) == 0, "the same once");

  ticks = 0;
  *local_apic(APIC_ICR_LOW) = SELF | APIC_VECTOR;
  for (int round = 0; round < 1000 && ticks == 0; round++) sti();
  cli();
  check(ticks == 1, "an interrupt to oneself");
  WRITE_CR(8, 6);
  ticks = 0;
  *local_apic(APIC_ICR_LOW) = SELF | APIC_VECTOR;
  sti();
  for (volatile int round = 0; round < 1000; round++) {
  }
  cli();
  check(ticks == 0, "CR8 holds back what is below it");
  WRITE_CR(8, 0);
  sti();
  for (volatile int round = 0; round < 1000; round++) {
  }
  cli();
  check(ticks == 1, "and lets it come later");
}
