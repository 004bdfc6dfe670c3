; part 0: native code
define internal void @loop0.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, ptr noalias %.7, i64 %.8, i64 %.9) nounwind "gt.work"="little"
{
entry:
  %.10 = alloca double
  %.11 = alloca double
  %.12 = alloca double
  %.13 = alloca double
  %.14 = alloca double
  %.15 = alloca double
  store double 0x0, ptr %.10
  store double 0x0, ptr %.12
  store double 0x0, ptr %.14
  store double 0x0, ptr %.11
  store double 0x0, ptr %.13
  store double 0x0, ptr %.15
  %.16 = icmp slt i64 %.8, %.9
  br i1 %.16, label %lanes, label %done
lanes:
  %.17 = phi i64 [%.8, %entry], [%.41, %lanes]
  %.18 = load double, ptr %.1
  %.19 = getelementptr double, ptr %.2, i64 %.17
  %.20 = load double, ptr %.19
  %.21 = load double, ptr %.3
  %.22 = getelementptr double, ptr %.4, i64 %.17
  %.23 = load double, ptr %.22
  %.24 = fmul double %.18, %.20
  %.25 = fadd double %.21, %.24
  %.26 = fsub double %.23, %.25
  %.27 = fmul double %.26, %.26
  %.28 = fadd double %.26, %.26
  %.29 = fneg double %.28
  %.30 = fmul double %.29, %.20
  %.31 = fcmp uno double %.30, %.30
  %.32 = fcmp oeq double %.29, 0x0
  %.33 = select i1 %.32, double 0x0, double %.30
  %.34 = select i1 %.31, double %.33, double %.30
  %.35 = load double, ptr %.11
  %.36 = fadd reassoc double %.35, %.27
  store double %.36, ptr %.11
  %.37 = load double, ptr %.13
  %.38 = fadd reassoc double %.37, %.29
  store double %.38, ptr %.13
  %.39 = load double, ptr %.15
  %.40 = fadd reassoc double %.39, %.34
  store double %.40, ptr %.15
  %.41 = add nuw nsw i64 %.17, 1
  %.42 = icmp slt i64 %.41, %.9
  br i1 %.42, label %lanes, label %done
done:
  %.43 = load double, ptr %.11
  %.44 = load double, ptr %.10
  %.45 = fadd double %.44, %.43
  store double %.45, ptr %.10
  %.46 = load double, ptr %.13
  %.47 = load double, ptr %.12
  %.48 = fadd double %.47, %.46
  store double %.48, ptr %.12
  %.49 = load double, ptr %.15
  %.50 = load double, ptr %.14
  %.51 = fadd double %.50, %.49
  store double %.51, ptr %.14
  %.52 = load double, ptr %.10
  store double %.52, ptr %.5
  %.53 = load double, ptr %.12
  store double %.53, ptr %.6
  %.54 = load double, ptr %.14
  store double %.54, ptr %.7
  ret void
}

define internal void @loop0(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.3 = load ptr, ptr %.1
  %.4 = getelementptr ptr, ptr %.1, i64 1
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.1, i64 2
  %.7 = load ptr, ptr %.6
  %.8 = getelementptr ptr, ptr %.1, i64 3
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.1, i64 9
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 10
  %.13 = load ptr, ptr %.12
  %.14 = getelementptr ptr, ptr %.1, i64 11
  %.15 = load ptr, ptr %.14
  %.16 = mul i64 %.2, 50
  %.17 = add i64 %.16, 50
  %.18 = icmp sgt i64 %.17, 50
  %.19 = select i1 %.18, i64 50, i64 %.17
  call void @loop0.body(ptr %.3, ptr %.5, ptr %.7, ptr %.9, ptr %.11, ptr %.13, ptr %.15, i64 %.16, i64 %.19)
  ret void
}

define internal void @loop1.body(ptr noalias %.1, ptr noalias %.2, ptr noalias %.3, ptr noalias %.4, ptr noalias %.5, ptr noalias %.6, i64 %.7, i64 %.8) nounwind "gt.work"="little"
{
entry:
  %.9 = load double, ptr %.1
  %.10 = fmul double %.9, 0x3f50624dd2f1a9fc
  %.11 = load double, ptr %.2
  %.12 = fsub double %.11, %.10
  store double %.12, ptr %.5
  %.13 = load double, ptr %.3
  %.14 = fmul double %.13, 0x3f50624dd2f1a9fc
  %.15 = load double, ptr %.4
  %.16 = fsub double %.15, %.14
  store double %.16, ptr %.6
  ret void
}

define internal void @loop1(ptr %.1, i64 %.2) cold nounwind
{
entry:
  %.3 = getelementptr ptr, ptr %.1, i64 7
  %.4 = load ptr, ptr %.3
  %.5 = getelementptr ptr, ptr %.1, i64 2
  %.6 = load ptr, ptr %.5
  %.7 = getelementptr ptr, ptr %.1, i64 8
  %.8 = load ptr, ptr %.7
  %.9 = load ptr, ptr %.1
  %.10 = getelementptr ptr, ptr %.1, i64 5
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 6
  %.13 = load ptr, ptr %.12
  %.14 = mul i64 %.2, 1
  %.15 = add i64 %.14, 1
  %.16 = icmp sgt i64 %.15, 1
  %.17 = select i1 %.16, i64 1, i64 %.15
  call void @loop1.body(ptr %.4, ptr %.6, ptr %.8, ptr %.9, ptr %.11, ptr %.13, i64 %.14, i64 %.17)
  ret void
}

define void @kernel(ptr %.1) cold nounwind
{
entry:
  %.2 = alloca ptr, i64 12
  %.3 = load ptr, ptr %.1
  store ptr %.3, ptr %.2
  %.4 = getelementptr ptr, ptr %.1, i64 1
  %.5 = load ptr, ptr %.4
  %.6 = getelementptr ptr, ptr %.2, i64 1
  store ptr %.5, ptr %.6
  %.7 = getelementptr ptr, ptr %.1, i64 2
  %.8 = load ptr, ptr %.7
  %.9 = getelementptr ptr, ptr %.2, i64 2
  store ptr %.8, ptr %.9
  %.10 = getelementptr ptr, ptr %.1, i64 3
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.2, i64 3
  store ptr %.11, ptr %.12
  %.13 = getelementptr ptr, ptr %.1, i64 4
  %.14 = load ptr, ptr %.13
  %.15 = getelementptr ptr, ptr %.2, i64 4
  store ptr %.14, ptr %.15
  %.16 = getelementptr ptr, ptr %.1, i64 5
  %.17 = load ptr, ptr %.16
  %.18 = getelementptr ptr, ptr %.2, i64 5
  store ptr %.17, ptr %.18
  %.19 = getelementptr ptr, ptr %.1, i64 6
  %.20 = load ptr, ptr %.19
  %.21 = getelementptr ptr, ptr %.2, i64 6
  store ptr %.20, ptr %.21
  %.22 = alloca [320 x i8], align 64
  %.23 = getelementptr ptr, ptr %.2, i64 7
  store ptr %.22, ptr %.23
  %.24 = getelementptr i8, ptr %.22, i64 64
  %.25 = getelementptr ptr, ptr %.2, i64 8
  store ptr %.24, ptr %.25
  %.26 = getelementptr i8, ptr %.22, i64 128
  %.27 = getelementptr ptr, ptr %.2, i64 9
  store ptr %.26, ptr %.27
  %.28 = getelementptr i8, ptr %.22, i64 192
  %.29 = getelementptr ptr, ptr %.2, i64 10
  store ptr %.28, ptr %.29
  %.30 = getelementptr i8, ptr %.22, i64 256
  %.31 = getelementptr ptr, ptr %.2, i64 11
  store ptr %.30, ptr %.31
  call void @loop0(ptr %.2, i64 0)
  %.32 = getelementptr ptr, ptr %.2, i64 4
  %.33 = load ptr, ptr %.32
  %.34 = getelementptr ptr, ptr %.2, i64 9
  %.35 = load ptr, ptr %.34
  %.36 = load double, ptr %.35
  %.37 = fadd double 0x0, %.36
  store double %.37, ptr %.33
  %.38 = getelementptr ptr, ptr %.2, i64 7
  %.39 = load ptr, ptr %.38
  %.40 = getelementptr ptr, ptr %.2, i64 10
  %.41 = load ptr, ptr %.40
  %.42 = load double, ptr %.41
  %.43 = fadd double 0x0, %.42
  store double %.43, ptr %.39
  %.44 = getelementptr ptr, ptr %.2, i64 8
  %.45 = load ptr, ptr %.44
  %.46 = getelementptr ptr, ptr %.2, i64 11
  %.47 = load ptr, ptr %.46
  %.48 = load double, ptr %.47
  %.49 = fadd double 0x0, %.48
  store double %.49, ptr %.45
  call void @loop1(ptr %.2, i64 0)
  ret void
}
