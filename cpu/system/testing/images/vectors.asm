; Instructions with a VEX prefix in 32-bit code: what control registers forbid, addresses of 16 bits, segments, what VEX.W
; and the upper registers mean there, and the instructions whose opcodes VEX has taken. (QEMU has no VEX in 16-bit code.)

%include "start32.inc"

SOURCE  equ 0x5000              ; 256 bytes of values
RESULT  equ 0x5400
AREA    equ 0x5800              ; for XSAVE

%macro show_memory 2            ; text, dwords at RESULT
        say %1, " "
        push esi
        mov esi, RESULT
%%next: mov eax, [esi]
        call print_hex
        say " "
        add esi, 4
        cmp esi, RESULT + 4 * (%2)
        jb %%next
        pop esi
        newline
%endmacro
%macro show_ymm 2               ; text, number of the register
        vmovdqu [RESULT], ymm%2
        push eax
        show_memory %1, 8
        pop eax
%endmacro
%macro load_all 0
        vmovups ymm0, [SOURCE]
        vmovups ymm1, [SOURCE + 32]
        vmovups ymm2, [SOURCE + 64]
        vmovups ymm3, [SOURCE + 96]
        vmovups ymm4, [SOURCE + 128]
        vmovups ymm5, [SOURCE + 160]
        vmovups ymm6, [SOURCE + 192]
        vmovups ymm7, [SOURCE + 224]
%endmacro
%macro result 2+                ; text and instruction; ymm1 is what it changes
        load_all
        %2
        show_ymm %1, 1
%endmacro
%macro general 2+               ; ecx is what it changes
        mov eax, 0x89abcdef
        mov ebx, 0x0ff0f0f3
        mov ecx, 0x12345678
        mov edx, 0x00ff1205
        %2
        pushf
        show %1, ecx
        show "eax", eax
        show "edx", edx
        pop eax
        and eax, 0x8c1          ; PF and AF are undefined behind some of them
        show "flags", eax
        newline
%endmacro

body:
        try "without CR4.OSXSAVE", vaddps xmm0, xmm1, xmm2
        try "without a vector", andn ecx, ebx, edx
        mov eax, cr4
        or eax, 0x40600         ; OSFXSR, OSXMMEXCPT, OSXSAVE
        mov cr4, eax
        try "without AVX in XCR0", vaddps xmm0, xmm1, xmm2
        xor ecx, ecx
        xor edx, edx
        mov eax, 7
        xsetbv
        try "with it", vaddps xmm0, xmm1, xmm2
        mov eax, cr0
        or eax, 8
        mov cr0, eax
        try "CR0.TS", vaddps xmm0, xmm1, xmm2
        try "CR0.TS without a vector", andn ecx, ebx, edx
        clts
        try "66 before VEX", db 0x66, 0xc5, 0xf8, 0x58, 0xc1
        try "F2 before VEX", db 0xf2, 0xc5, 0xf8, 0x58, 0xc1
        try "lock before VEX", db 0xf0, 0xc5, 0xf8, 0x58, 0xc1

        ; values: single-precision numbers that are not small, and bytes of all kinds
        mov edi, SOURCE
        mov eax, 0x3f9e0419
        mov ecx, 64
.fill:  stosd
        imul eax, eax, 0x01000193
        add eax, 0x00345671
        and eax, 0xbfffffff
        loop .fill

        result "vaddps ymm", vaddps ymm1, ymm2, ymm3
        result "vaddps xmm", vaddps xmm1, xmm2, xmm3
        result "vmulpd", vmulpd ymm1, ymm2, [SOURCE + 32]
        result "vaddss", vaddss xmm1, xmm2, [SOURCE + 4]
        result "vpshufb", vpshufb ymm1, ymm2, ymm3
        result "vperm2f128", vperm2f128 ymm1, ymm2, ymm3, 0x21
        result "vpermq", vpermq ymm1, ymm2, 0x1b
        result "vblendvps", vblendvps ymm1, ymm2, ymm3, ymm4
        result "vfmadd231pd", vfmadd231pd ymm1, ymm2, ymm3
        result "vfmadd213ss", vfmadd213ss xmm1, xmm2, xmm3
        result "vcvtph2ps", vcvtph2ps ymm1, xmm2
        result "vinserti128", vinserti128 ymm1, ymm2, [SOURCE], 1
        result "vpsllvd", vpsllvd ymm1, ymm2, ymm3
        result "vbroadcastss", vbroadcastss ymm1, [SOURCE + 8]
        mov ebx, SOURCE
        mov esi, 8
        result "base and index", vmovups ymm1, [ebx + esi * 4 - 4]
        result "16-bit address", a16 vmovups ymm1, [bx + si + 0x20]
        result "16-bit displacement", a16 vmovups ymm1, [0x5040]
        mov ax, BASED
        mov fs, ax
        result "segment", vmovups ymm1, [fs:SOURCE - 0x1000 + 16]
        ; indices of gathers
        mov dword [RESULT + 0x40], 8
        mov dword [RESULT + 0x44], -4
        mov dword [RESULT + 0x48], 100
        mov dword [RESULT + 0x4c], 0
        mov dword [RESULT + 0x50], 7
        mov dword [RESULT + 0x54], -1
        mov dword [RESULT + 0x58], 3
        mov dword [RESULT + 0x5c], 2
        mov ebx, SOURCE + 64
        load_all
        vmovups ymm2, [RESULT + 0x40]
        vpgatherdd ymm1, [ebx + ymm2 * 2], ymm3
        show_ymm "vpgatherdd", 1
        show_ymm "mask", 3
        load_all
        vmovups ymm2, [RESULT + 0x40]
        vgatherdpd ymm1, [fs:ebx + xmm2 - 0x1000], ymm4
        show_ymm "vgatherdpd", 1
        ; stores
        vmovups ymm2, [SOURCE]
        vmovups [RESULT], ymm2
        load_all
        vpmaskmovd [RESULT], ymm4, ymm1
        show_memory "vpmaskmovd", 8
        load_all
        mov edi, RESULT + 1
        vmaskmovdqu xmm5, xmm6
        show_memory "vmaskmovdqu", 8
        load_all
        mov ebx, RESULT
        a16 vextractf128 [bx + 4], ymm6, 1
        vpextrb [RESULT], xmm7, 5
        vcvtps2ph [RESULT + 24], xmm5, 0
        show_memory "other stores", 8

        ; VEX.W where there are no registers of 64 bits
        load_all
        db 0xc4, 0xe1, 0xf9, 0x7e, 0xc8         ; vmovq rax, xmm1
        show "vmovd", eax
        db 0xc4, 0xe3, 0xf9, 0x16, 0xd1, 0x01   ; vpextrq rcx, xmm2, 1
        show "vpextrd", ecx
        newline
        mov eax, -5
        load_all
        db 0xc4, 0xe1, 0xeb, 0x2a, 0xc8         ; vcvtsi2sd xmm1, xmm2, rax
        show_ymm "vcvtsi2sd", 1
        load_all
        db 0xc4, 0xe3, 0xe9, 0x22, 0xc8, 0x01   ; vpinsrq xmm1, xmm2, rax, 1
        show_ymm "vpinsrd", 1
        load_all
        db 0xc4, 0xe1, 0xf9, 0x6e, 0xc8         ; vmovq xmm1, rax
        show_ymm "vmovd", 1

        general "andn", andn ecx, ebx, edx
        general "andn W", db 0xc4, 0xe2, 0xe0, 0xf2, 0xca
        general "bextr", bextr ecx, eax, edx
        general "blsr", blsr ecx, eax
        general "bzhi", bzhi ecx, eax, edx
        general "mulx", mulx ecx, edx, eax
        general "pdep", pdep ecx, eax, ebx
        general "pext", pext ecx, eax, ebx
        general "rorx", rorx ecx, eax, 9
        general "sarx", sarx ecx, eax, ebx
        general "vtestps", vtestps ymm1, ymm2

        ; YMM0…YMM7 only
        load_all
        vzeroupper
        show_ymm "vzeroupper", 7
        load_all
        vzeroall
        show_ymm "vzeroall", 7
        load_all
        mov edi, AREA
        mov ecx, 0x340 / 4
        mov eax, 0x55555555
        rep stosd
        mov edi, AREA + 512
        mov ecx, 16
        xor eax, eax
        rep stosd
        mov eax, 6
        xor edx, edx
        xsave [AREA]
        vzeroall
        mov eax, 6
        xrstor [AREA]
        show_ymm "xrstor", 6
        mov eax, [AREA + 160 + 7 * 16]
        show "xmm7", eax
        mov eax, [AREA + 576 + 7 * 16]
        show "ymm7", eax
        newline

        ; what VEX has left of other instructions
        push es
        les edi, [.pointer]
        show "les", edi
        lds esi, [ss:.pointer]
        mov ax, ss
        mov ds, ax
        show "lds", esi
        pop es
        mov ecx, 3
        bound ecx, [.bounds]
        newline

        say "done", 10
        mov dx, EXIT
        mov al, 0
        out dx, al
        hlt
.pointer:       dd 0x11223344
                dw DATA
.bounds:        dd 1, 5
end_of_image:
