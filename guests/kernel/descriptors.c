/* GDT, TSS and IDT: Intel SDM vol. 3, 3.4.5, 7.2 and 6.14. */
#include "kernel.h"

struct __attribute__((packed)) pointer {
  uint16_t limit;
  uint64_t base;
};
struct gate {
  uint16_t offset_low, selector;
  uint8_t stack, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};
struct __attribute__((packed)) task {
  uint32_t reserved0;
  uint64_t rsp[3];
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3, bitmap;
};

#define INTERRUPT_GATE 0x8e
#define PRIVILEGE_3 0x60
#define STACK_BYTES 8192

static uint64_t gdt[7] = {
    0,
    0x00af9b000000ffff, /* 08 kernel code */
    0x00cf93000000ffff, /* 10 kernel data */
    0x00cff3000000ffff, /* 18 user data: SYSRET wants it below the code */
    0x00affb000000ffff, /* 20 user code */
};
static struct gate idt[256] __attribute__((aligned(16)));
static struct task task;
static uint8_t interrupt_stack[STACK_BYTES] __attribute__((aligned(16)));
static uint8_t fault_stack[STACK_BYTES] __attribute__((aligned(16)));

static void set_gate(int vector) {
  uint64_t offset = (uint64_t)interrupt_stubs + vector * STUB_BYTES;
  idt[vector] = (struct gate){
      .offset_low = offset,
      .selector = KERNEL_CODE,
      .type = INTERRUPT_GATE,
      .offset_middle = offset >> 16,
      .offset_high = offset >> 32,
  };
}

void open_gate(int vector) { idt[vector].type = INTERRUPT_GATE | PRIVILEGE_3; }
void set_stack_of_gate(int vector, int stack) { idt[vector].stack = stack; }

void set_up_descriptors(void) {
  uint64_t base = (uint64_t)&task;
  task.rsp[0] = (uint64_t)(interrupt_stack + STACK_BYTES);
  task.ist[0] = (uint64_t)(fault_stack + STACK_BYTES);
  task.bitmap = sizeof task;
  gdt[5] = (sizeof task - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
  gdt[6] = base >> 32;
  struct pointer tables = {sizeof gdt - 1, (uint64_t)gdt};
  __asm__ volatile("lgdt %0" ::"m"(tables));
  load_segments();
  __asm__ volatile("ltr %w0" ::"r"(TASK));
  for (int vector = 0; vector < 256; vector++) set_gate(vector);
  struct pointer interrupts = {sizeof idt - 1, (uint64_t)idt};
  __asm__ volatile("lidt %0" ::"m"(interrupts));
}
