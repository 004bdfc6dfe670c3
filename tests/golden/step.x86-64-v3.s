; part 0: native code
.file	"<string>"
	.section	.rodata.cst32,"aM",@progbits,32
	.p2align	5, 0x0
.LCPI0_0:
	.quad	0x0000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.quad	0x8000000000000000
	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI0_1:
	.quad	0x8000000000000000
.LCPI0_2:
	.quad	0x3f50624dd2f1a9fc
	.section	.ltext,"axl",@progbits
	.globl	kernel
	.p2align	4
	.type	kernel,@function
kernel:
	subq	$472, %rsp
	movq	(%rdi), %rax
	movq	8(%rdi), %rdx
	movq	16(%rdi), %rcx
	movq	24(%rdi), %rsi
	vbroadcastsd	(%rcx), %ymm6
	vbroadcastsd	(%rax), %ymm1
	vmovupd	(%rdx), %ymm0
	vmovupd	%ymm0, 80(%rsp)
	vmovupd	32(%rdx), %ymm7
	vmovupd	%ymm7, 112(%rsp)
	vmovupd	64(%rdx), %ymm9
	vmovupd	%ymm9, 144(%rsp)
	vmovupd	96(%rdx), %ymm8
	vmovupd	%ymm8, 176(%rsp)
	vmulpd	%ymm0, %ymm1, %ymm0
	vaddpd	%ymm0, %ymm6, %ymm0
	vmovupd	(%rsi), %ymm2
	vsubpd	%ymm0, %ymm2, %ymm2
	vmovupd	%ymm2, -112(%rsp)
	vmovupd	32(%rsi), %ymm0
	vmovupd	64(%rsi), %ymm3
	vmovupd	96(%rsi), %ymm5
	vmulpd	%ymm2, %ymm2, %ymm4
	movabsq	$.LCPI0_0, %r8
	vmovapd	(%r8), %ymm2
	vmovupd	%ymm2, -48(%rsp)
	vaddpd	%ymm2, %ymm4, %ymm4
	vmulpd	%ymm7, %ymm1, %ymm7
	vaddpd	%ymm7, %ymm6, %ymm7
	vsubpd	%ymm7, %ymm0, %ymm2
	vmulpd	%ymm2, %ymm2, %ymm7
	vaddpd	%ymm7, %ymm4, %ymm7
	vmulpd	%ymm1, %ymm9, %ymm4
	vaddpd	%ymm4, %ymm6, %ymm4
	vsubpd	%ymm4, %ymm3, %ymm4
	vmulpd	%ymm4, %ymm4, %ymm3
	vaddpd	%ymm3, %ymm7, %ymm3
	vmulpd	%ymm1, %ymm8, %ymm7
	vaddpd	%ymm7, %ymm6, %ymm7
	vsubpd	%ymm7, %ymm5, %ymm5
	vmulpd	%ymm5, %ymm5, %ymm7
	vaddpd	%ymm7, %ymm3, %ymm3
	vmovupd	128(%rsi), %ymm7
	vmovupd	128(%rdx), %ymm8
	vmovupd	%ymm8, 208(%rsp)
	vmulpd	%ymm1, %ymm8, %ymm8
	vaddpd	%ymm6, %ymm8, %ymm8
	vsubpd	%ymm8, %ymm7, %ymm14
	vmulpd	%ymm14, %ymm14, %ymm8
	vaddpd	%ymm3, %ymm8, %ymm3
	vmovupd	160(%rdx), %ymm8
	vmovupd	%ymm8, 432(%rsp)
	vmulpd	%ymm1, %ymm8, %ymm8
	vaddpd	%ymm6, %ymm8, %ymm8
	vmovupd	160(%rsi), %ymm9
	vsubpd	%ymm8, %ymm9, %ymm8
	vmulpd	%ymm8, %ymm8, %ymm9
	vaddpd	%ymm3, %ymm9, %ymm3
	vmovupd	192(%rdx), %ymm9
	vmovupd	%ymm9, 400(%rsp)
	vmulpd	%ymm1, %ymm9, %ymm9
	vaddpd	%ymm6, %ymm9, %ymm9
	vmovupd	192(%rsi), %ymm10
	vsubpd	%ymm9, %ymm10, %ymm9
	vmulpd	%ymm9, %ymm9, %ymm10
	vaddpd	%ymm3, %ymm10, %ymm3
	vmovupd	224(%rdx), %ymm10
	vmovupd	%ymm10, 368(%rsp)
	vmulpd	%ymm1, %ymm10, %ymm10
	vaddpd	%ymm6, %ymm10, %ymm10
	vmovupd	224(%rsi), %ymm11
	vsubpd	%ymm10, %ymm11, %ymm10
	vmulpd	%ymm10, %ymm10, %ymm11
	vaddpd	%ymm3, %ymm11, %ymm3
	vmovupd	256(%rdx), %ymm11
	vmovupd	%ymm11, 336(%rsp)
	vmulpd	%ymm1, %ymm11, %ymm11
	vaddpd	%ymm6, %ymm11, %ymm11
	vmovupd	256(%rsi), %ymm12
	vsubpd	%ymm11, %ymm12, %ymm11
	vmulpd	%ymm11, %ymm11, %ymm12
	vaddpd	%ymm3, %ymm12, %ymm3
	vmovupd	288(%rdx), %ymm12
	vmovupd	%ymm12, 304(%rsp)
	vmulpd	%ymm1, %ymm12, %ymm12
	vaddpd	%ymm6, %ymm12, %ymm12
	vmovupd	288(%rsi), %ymm13
	vsubpd	%ymm12, %ymm13, %ymm12
	vmulpd	%ymm12, %ymm12, %ymm13
	vaddpd	%ymm3, %ymm13, %ymm13
	vmovupd	320(%rdx), %ymm3
	vmovupd	%ymm3, 272(%rsp)
	vmulpd	%ymm3, %ymm1, %ymm3
	vaddpd	%ymm3, %ymm6, %ymm3
	vmovapd	%ymm6, %ymm0
	vmovupd	%ymm6, 48(%rsp)
	vmovupd	320(%rsi), %ymm15
	vsubpd	%ymm3, %ymm15, %ymm7
	vmulpd	%ymm7, %ymm7, %ymm15
	vaddpd	%ymm15, %ymm13, %ymm13
	vmovupd	352(%rdx), %ymm6
	vmovupd	%ymm6, 240(%rsp)
	vmulpd	%ymm6, %ymm1, %ymm15
	vaddpd	%ymm0, %ymm15, %ymm15
	vmovupd	352(%rsi), %ymm6
	vsubpd	%ymm15, %ymm6, %ymm6
	vmulpd	%ymm6, %ymm6, %ymm15
	vaddpd	%ymm15, %ymm13, %ymm13
	vextractf128	$1, %ymm13, %xmm15
	vaddpd	%xmm15, %xmm13, %xmm13
	vshufpd	$1, %xmm13, %xmm13, %xmm15
	vaddsd	%xmm15, %xmm13, %xmm13
	vmovsd	%xmm13, -120(%rsp)
	vmovupd	-112(%rsp), %ymm0
	vaddpd	%ymm0, %ymm0, %ymm15
	vaddpd	%ymm2, %ymm2, %ymm13
	vmovupd	-48(%rsp), %ymm3
	vsubpd	%ymm15, %ymm3, %ymm0
	vsubpd	%ymm13, %ymm0, %ymm2
	vaddpd	%ymm4, %ymm4, %ymm0
	vsubpd	%ymm0, %ymm2, %ymm4
	vaddpd	%ymm5, %ymm5, %ymm2
	vsubpd	%ymm2, %ymm4, %ymm5
	vaddpd	%ymm14, %ymm14, %ymm4
	vsubpd	%ymm4, %ymm5, %ymm5
	vaddpd	%ymm8, %ymm8, %ymm8
	vsubpd	%ymm8, %ymm5, %ymm5
	vaddpd	%ymm9, %ymm9, %ymm9
	vsubpd	%ymm9, %ymm5, %ymm5
	vaddpd	%ymm10, %ymm10, %ymm10
	vsubpd	%ymm10, %ymm5, %ymm5
	vaddpd	%ymm11, %ymm11, %ymm11
	vsubpd	%ymm11, %ymm5, %ymm5
	vaddpd	%ymm12, %ymm12, %ymm12
	vmovupd	%ymm12, -80(%rsp)
	vsubpd	%ymm12, %ymm5, %ymm5
	vaddpd	%ymm7, %ymm7, %ymm7
	vmovupd	%ymm7, -16(%rsp)
	vsubpd	%ymm7, %ymm5, %ymm5
	vaddpd	%ymm6, %ymm6, %ymm6
	vmovupd	%ymm6, 16(%rsp)
	vsubpd	%ymm6, %ymm5, %ymm5
	vextractf128	$1, %ymm5, %xmm6
	vaddpd	%xmm6, %xmm5, %xmm5
	vshufpd	$1, %xmm5, %xmm5, %xmm6
	vaddsd	%xmm6, %xmm5, %xmm5
	vmovsd	%xmm5, -112(%rsp)
	movabsq	$.LCPI0_1, %r8
	vbroadcastsd	(%r8), %ymm5
	vxorpd	%ymm5, %ymm15, %ymm6
	vmulpd	80(%rsp), %ymm6, %ymm14
	vcmpeqpd	%ymm6, %ymm15, %ymm15
	vxorpd	%xmm6, %xmm6, %xmm6
	vcmpunordpd	%ymm6, %ymm14, %ymm12
	vandpd	%ymm15, %ymm12, %ymm12
	vaddpd	%ymm3, %ymm14, %ymm14
	vandnpd	%ymm14, %ymm12, %ymm12
	vxorpd	%ymm5, %ymm13, %ymm14
	vmulpd	112(%rsp), %ymm14, %ymm15
	vcmpeqpd	%ymm14, %ymm13, %ymm13
	vcmpunordpd	%ymm6, %ymm15, %ymm14
	vandpd	%ymm13, %ymm14, %ymm13
	vandnpd	%ymm15, %ymm13, %ymm13
	vaddpd	%ymm13, %ymm12, %ymm12
	vxorpd	%ymm5, %ymm0, %ymm13
	vmulpd	144(%rsp), %ymm13, %ymm14
	vcmpeqpd	%ymm0, %ymm13, %ymm0
	vcmpunordpd	%ymm6, %ymm14, %ymm13
	vandpd	%ymm0, %ymm13, %ymm0
	vandnpd	%ymm14, %ymm0, %ymm0
	vaddpd	%ymm0, %ymm12, %ymm0
	vxorpd	%ymm5, %ymm2, %ymm12
	vmulpd	176(%rsp), %ymm12, %ymm13
	vcmpeqpd	%ymm2, %ymm12, %ymm2
	vcmpunordpd	%ymm6, %ymm13, %ymm12
	vandpd	%ymm2, %ymm12, %ymm2
	vandnpd	%ymm13, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vxorpd	%ymm5, %ymm4, %ymm2
	vmulpd	208(%rsp), %ymm2, %ymm12
	vcmpeqpd	%ymm2, %ymm4, %ymm2
	vcmpunordpd	%ymm6, %ymm12, %ymm4
	vandpd	%ymm2, %ymm4, %ymm2
	vandnpd	%ymm12, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vxorpd	%ymm5, %ymm8, %ymm2
	vmulpd	432(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm8, %ymm2
	vcmpunordpd	%ymm6, %ymm4, %ymm7
	vandpd	%ymm2, %ymm7, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vxorpd	%ymm5, %ymm9, %ymm2
	vmulpd	400(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm9, %ymm2
	vcmpunordpd	%ymm6, %ymm4, %ymm7
	vandpd	%ymm2, %ymm7, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vxorpd	%ymm5, %ymm10, %ymm2
	vmulpd	368(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm10, %ymm2
	vmovupd	48(%rsp), %ymm9
	vcmpunordpd	%ymm6, %ymm4, %ymm7
	vandpd	%ymm2, %ymm7, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vxorpd	%ymm5, %ymm11, %ymm2
	vmulpd	336(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm11, %ymm2
	vcmpunordpd	%ymm6, %ymm4, %ymm7
	vandpd	%ymm2, %ymm7, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vmovupd	-80(%rsp), %ymm3
	vxorpd	%ymm5, %ymm3, %ymm2
	vmulpd	304(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm3, %ymm2
	vcmpunordpd	%ymm6, %ymm4, %ymm7
	vandpd	%ymm2, %ymm7, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vmovupd	-16(%rsp), %ymm3
	vxorpd	%ymm5, %ymm3, %ymm2
	vmulpd	272(%rsp), %ymm2, %ymm4
	vcmpeqpd	%ymm2, %ymm3, %ymm2
	vcmpunordpd	%ymm6, %ymm4, %ymm3
	vandpd	%ymm2, %ymm3, %ymm2
	vandnpd	%ymm4, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vmovupd	16(%rsp), %ymm7
	vxorpd	%ymm5, %ymm7, %ymm2
	vmulpd	240(%rsp), %ymm2, %ymm3
	vcmpunordpd	%ymm6, %ymm3, %ymm4
	vcmpeqpd	%ymm2, %ymm7, %ymm2
	vandpd	%ymm2, %ymm4, %ymm2
	vandnpd	%ymm3, %ymm2, %ymm2
	vaddpd	%ymm2, %ymm0, %ymm0
	vextractf128	$1, %ymm0, %xmm2
	vaddpd	%xmm2, %xmm0, %xmm0
	vshufpd	$1, %xmm0, %xmm0, %xmm2
	vaddsd	%xmm2, %xmm0, %xmm2
	vmovsd	384(%rdx), %xmm0
	vmovsd	384(%rsi), %xmm3
	vmulsd	%xmm0, %xmm1, %xmm4
	vaddsd	%xmm4, %xmm9, %xmm4
	vsubsd	%xmm4, %xmm3, %xmm3
	vaddsd	%xmm3, %xmm3, %xmm4
	vxorpd	%xmm5, %xmm4, %xmm6
	vmulsd	%xmm6, %xmm0, %xmm6
	vxorpd	%xmm0, %xmm0, %xmm0
	vcmpeqsd	%xmm0, %xmm4, %xmm7
	vcmpunordsd	%xmm0, %xmm6, %xmm8
	vandpd	%xmm7, %xmm8, %xmm7
	vmulsd	%xmm3, %xmm3, %xmm3
	vmovd	%xmm7, %r8d
	vxorpd	%xmm7, %xmm7, %xmm7
	testb	$1, %r8b
	jne	.LBB0_2
	vmovapd	%xmm6, %xmm7
.LBB0_2:
	vaddsd	%xmm7, %xmm2, %xmm2
	movq	32(%rdi), %r9
	movq	40(%rdi), %r8
	movq	48(%rdi), %rdi
	vaddsd	-120(%rsp), %xmm3, %xmm3
	vmovsd	-112(%rsp), %xmm6
	vsubsd	%xmm4, %xmm6, %xmm4
	vmovsd	392(%rdx), %xmm7
	vmovsd	392(%rsi), %xmm6
	vmulsd	%xmm7, %xmm1, %xmm1
	vaddsd	%xmm1, %xmm9, %xmm1
	vsubsd	%xmm1, %xmm6, %xmm6
	vmulsd	%xmm6, %xmm6, %xmm1
	vaddsd	%xmm6, %xmm6, %xmm6
	vxorpd	%xmm5, %xmm6, %xmm5
	vmulsd	%xmm5, %xmm7, %xmm5
	vcmpeqsd	%xmm0, %xmm6, %xmm7
	vcmpunordsd	%xmm0, %xmm5, %xmm8
	vandpd	%xmm7, %xmm8, %xmm7
	vmovd	%xmm7, %edx
	vxorpd	%xmm7, %xmm7, %xmm7
	testb	$1, %dl
	jne	.LBB0_4
	vmovapd	%xmm5, %xmm7
.LBB0_4:
	vaddsd	%xmm7, %xmm2, %xmm2
	vaddsd	%xmm1, %xmm3, %xmm1
	vsubsd	%xmm6, %xmm4, %xmm3
	vaddsd	%xmm0, %xmm3, %xmm3
	vaddsd	%xmm0, %xmm2, %xmm0
	vmovsd	%xmm1, (%r9)
	vmovsd	(%rcx), %xmm1
	vmovsd	(%rax), %xmm2
	movabsq	$.LCPI0_2, %rax
	vmovsd	(%rax), %xmm4
	vmulsd	%xmm4, %xmm3, %xmm3
	vsubsd	%xmm3, %xmm1, %xmm1
	vmovsd	%xmm1, (%r8)
	vmulsd	%xmm4, %xmm0, %xmm0
	vsubsd	%xmm0, %xmm2, %xmm0
	vmovsd	%xmm0, (%rdi)
	addq	$472, %rsp
	vzeroupper
	retq
.Lfunc_end0:
	.size	kernel, .Lfunc_end0-kernel

	.section	".note.GNU-stack","",@progbits
