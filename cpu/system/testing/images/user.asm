; User mode: what CPL 3 may not do, page faults with U, SMEP and SMAP, ways in and out (SYSCALL, gates, IRET), single steps.
%include "start.inc"

%macro fault_at 1
        mov qword [fault_base], %1
%endmacro
%macro user 2+                  ; name, instruction executed at CPL 3
        say %1, 10
        expect %%done
        fault_at %%instruction
        mov rbx, %%instruction
        jmp to_user
%%instruction:
        %2
        int 0x80                ; back
%%done:
%endmacro
%macro user_begin 1             ; the same for the instructions up to `user_end`
        say %1, 10
        expect %%done
        fault_at %%instruction
        mov rbx, %%instruction
        jmp to_user
%%done: jmp near %%behind
%xdefine BEHIND %%behind
%%instruction:
%endmacro
%macro user_end 0
        int 0x80
BEHIND:
%endmacro
%macro try 2+                   ; name, instruction
        say %1, 10
        expect %%done
        fault_at %%instruction
%%instruction:
        %2
        say "  no exception", 10
%%done:
%endmacro

PT      equ 0x4000
PAGE    equ 0x400000
USERSTACK equ 0x80000

to_user:                        ; rbx: where
        push USERDS | 3
        push USERSTACK
        push qword [user_flags]
        push USER64 | 3
        push rbx
        iretq
user_flags: dq 2

body:
        call setup_idt
        mov byte [idt + 0x80 * 16 + 5], 0xee    ; int 0x80 from CPL 3
        mov byte [idt + 3 * 16 + 5], 0xee       ; int3 too
        user "nothing", nop
        user "hlt", hlt
        user "cli", cli
        user "sti", sti
        user "in", in al, dx
        mov dx, CONSOLE
        user "out", out dx, al
        user "rep insb", rep insb
        user "mov from cr0", mov rax, cr0
        user "mov to cr3", mov cr3, rax
        user "rdmsr", rdmsr
        user "wrmsr", wrmsr
        user "lgdt", lgdt [gdt_pointer]
        user "invlpg", invlpg [rax]
        user "swapgs", swapgs
        user "sysret", o64 sysret
        user "clts", clts
        user "wbinvd", wbinvd
        user "ltr", ltr ax
        user "int3", int3
        user "ud2", ud2
        user "far jump to the kernel", jmp far [kernel_pointer]
        user "mov ds, kernel data", mov ds, word [selector_data]
        user "mov ss, null", mov ss, word [selector_null]
        user_begin "lar"
        lar eax, word [selector_data]
        user_end
        user "sgdt", sgdt [rsp - 64]
        user "smsw", smsw eax
        user_begin "popf does not set IF"
        push 0x3202
        popfq
        user_end
        ; IOPL 3: ports and CLI
        mov qword [user_flags], 0x3002
        user "cli with IOPL 3", cli
        mov dx, CONSOLE
        mov al, '!'
        user "out with IOPL 3", out dx, al
        mov qword [user_flags], 2
        ; the bitmap of the TSS: all ports up to 0xff but 0xe8
        mov word [tss + 0x66], tss_bitmap - tss
        user_begin "out by the bitmap"
        mov al, '?'
        mov dx, CONSOLE
        out dx, al
        user_end
        user_begin "out beside it"
        mov dx, CONSOLE - 1
        out dx, al
        user_end
        user_begin "out beyond it"
        mov dx, 0x1000
        out dx, al
        user_end

        ; pages
        mov rdi, PT
        mov ecx, 512
        mov rax, 0x400007
.fill:
        stosq
        add rax, 0x1000
        loop .fill
        mov qword [PD + 2 * 8], PT | 7
        mov rax, cr3
        mov cr3, rax
        mov qword [PT + 1 * 8], 0
        mov qword [PT + 2 * 8], 0x402005        ; user, read only
        mov qword [PT + 3 * 8], 0x403003        ; supervisor
        mov rax, 0x8000000000404007
        mov [PT + 4 * 8], rax                   ; no execution
        mov byte [PAGE + 0x3000], 0xc3
        mov byte [PAGE + 0x5000], 0xc3
        mov rax, cr3
        mov cr3, rax
        user "read", mov rax, [PAGE + 0x5000]
        user "read of a page that is not present", mov rax, [PAGE + 0x1000]
        user "write", mov [PAGE + 0x1000], rax
        user "write to a read-only page", mov [PAGE + 0x2000], rax
        user "read of a supervisor page", mov rax, [PAGE + 0x3000]
        user "write to a supervisor page", mov [PAGE + 0x3000], rax
        mov rax, PAGE + 0x3000
        user_begin "call of a supervisor page"
        mov rax, PAGE + 0x3000
        call rax
        user_end
        user_begin "call of a no-execute page"
        mov rax, PAGE + 0x4000
        call rax
        user_end
        ; after the kernel has touched it: its rights are not the user's
        mov rax, [PAGE + 0x3008]
        mov [PAGE + 0x3008], rax
        user "read of a page that the kernel used", mov rax, [PAGE + 0x3008]
        user "and write", mov [PAGE + 0x3008], rax
        ; the kernel may write to user pages, with WP not to read-only ones
        try "kernel reads user page", mov rax, [PAGE + 0x5000]
        try "kernel writes read-only user page", mov [PAGE + 0x2000], rax

        ; SMEP and SMAP
        mov byte [PAGE + 0x5000], 0xc3
        mov rbx, PAGE + 0x5000
        ; the image itself must be a supervisor's from here on
        mov qword [PD], 0x83
        mov rax, cr3
        mov cr3, rax
        mov rax, cr4
        or eax, 1 << 20
        mov cr4, rax
        try "SMEP", call rbx
        mov rax, cr4
        or eax, 1 << 21
        mov cr4, rax
        try "SMAP read", mov rax, [PAGE + 0x5000]
        try "SMAP write", mov [PAGE + 0x5000], rax
        stac
        try "after stac", mov rax, [PAGE + 0x5000]
        stac
        mov rax, [PAGE + 0x5000]
        clac
        try "after clac", mov rax, [PAGE + 0x5000]
        push 0x40002
        popfq
        mov rax, [PAGE + 0x5000]
        mov [PAGE + 0x5000], rax
        push 2
        popfq
        try "after popf", mov [PAGE + 0x5000], rax
        mov rax, cr4
        and eax, ~(3 << 20)
        mov cr4, rax
        mov qword [PD], 0x87
        mov rax, cr3
        mov cr3, rax

        ; SYSCALL and SYSRET
        mov ecx, 0xc0000081
        mov edx, 0x00200018             ; SYSRET: 20 + 16, SYSCALL: 18
        xor eax, eax
        wrmsr
        mov ecx, 0xc0000082
        mov rax, system_call
        xor edx, edx
        wrmsr
        mov ecx, 0xc0000084
        mov eax, 0x200
        wrmsr
        mov ecx, 0xc0000102             ; KERNEL_GS_BASE
        mov edx, 0xffff8000
        mov eax, 0x1234
        wrmsr
        mov ecx, 0xc0000101
        xor edx, edx
        mov eax, PAGE
        wrmsr
        user_begin "syscall"
        mov eax, 7
        syscall
        push rax
        mov ax, cs
        cmp ax, USER64 | 3
        jne user_wrong
        mov ax, ss
        cmp ax, USERDS | 3
        jne user_wrong
        pop rax
        cmp eax, 42
        jne user_wrong
        int 0x80
user_wrong:
        ud2
        user_end
        mov ecx, 0xc0000080
        rdmsr
        and eax, ~1
        wrmsr
        user "syscall without SCE", syscall

        ; single steps of the kernel
        say "steps", 10
        expect .stepped
        fault_at .step
        push 0x102
        popfq
.step:  nop
        nop
.stepped:
        expect .stepped2
        fault_at .step2
        push 0x102
        popfq
.step2: syscall
.stepped2:
        mov qword [user_flags], 0x102
        user_begin "steps of user code"
        nop
        nop
        user_end
        mov qword [user_flags], 2

        ; data segments of the kernel do not reach the user
        mov ax, DATA
        mov es, ax
        mov fs, ax
        say "segments", 10
        expect .segments
        mov rbx, .user_segments
        jmp to_user
.user_segments:
        mov ax, es
        mov bx, fs
        mov cx, ds
        int 0x80
.segments:
        mov ax, es
        show "es", rax
        newline
        ; a stack of its own for an interrupt
        mov byte [idt + 6 * 16 + 4], 1
        mov byte [idt + 13 * 16 + 4], 2
        user "ud2 on IST1", ud2
        user "hlt on IST2", hlt
        try "ud2 of the kernel on IST1", ud2
        say "done", 10
        finish

system_call:
        push rcx
        push r11
        show "  system call", rax
        mov rcx, 0xc0000101
        swapgs
        rdmsr
        show "gs low", rax
        show "high", rdx
        swapgs
        mov ax, cs
        movzx eax, ax
        show "cs", rax
        mov ax, ss
        movzx eax, ax
        show "ss", rax
        pushfq
        pop rax
        and eax, 0x200
        show "if", rax
        newline
        pop r11
        pop rcx
        show "  r11", r11
        newline
        mov eax, 42
        o64 sysret

        align 8
kernel_pointer: dd body
        dw CODE64
selector_data:  dw DATA
selector_null:  dw 0
end_of_image:
