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

define void @kernel(ptr %.1) cold nounwind "gt.run"="brief"
{
entry:
  %.2 = alloca [320 x i8], align 64
  %.3 = getelementptr i8, ptr %.2, i64 64
  %.4 = getelementptr i8, ptr %.2, i64 128
  %.5 = getelementptr i8, ptr %.2, i64 192
  %.6 = getelementptr i8, ptr %.2, i64 256
  %.7 = load ptr, ptr %.1
  %.8 = getelementptr ptr, ptr %.1, i64 1
  %.9 = load ptr, ptr %.8
  %.10 = getelementptr ptr, ptr %.1, i64 2
  %.11 = load ptr, ptr %.10
  %.12 = getelementptr ptr, ptr %.1, i64 3
  %.13 = load ptr, ptr %.12
  call void @loop0.body(ptr %.7, ptr %.9, ptr %.11, ptr %.13, ptr %.4, ptr %.5, ptr %.6, i64 0, i64 50)
  %.14 = getelementptr ptr, ptr %.1, i64 4
  %.15 = load ptr, ptr %.14
  %.16 = load double, ptr %.4
  %.17 = fadd double 0x0, %.16
  store double %.17, ptr %.15
  %.18 = load double, ptr %.5
  %.19 = fadd double 0x0, %.18
  store double %.19, ptr %.2
  %.20 = load double, ptr %.6
  %.21 = fadd double 0x0, %.20
  store double %.21, ptr %.3
  %.22 = getelementptr ptr, ptr %.1, i64 5
  %.23 = load ptr, ptr %.22
  %.24 = getelementptr ptr, ptr %.1, i64 6
  %.25 = load ptr, ptr %.24
  call void @loop1.body(ptr %.2, ptr %.11, ptr %.3, ptr %.7, ptr %.23, ptr %.25, i64 0, i64 1)
  ret void
}
