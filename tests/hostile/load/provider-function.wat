;; What it exports by the name of the interface is a function.
;; is: refused
;; says: provider@0.1.0

(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (export "bitrouter:provider/provider@0.1.0" (func $f)))
