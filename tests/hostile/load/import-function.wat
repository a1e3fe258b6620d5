;; It wants a function without an interface.
;; is: refused
;; says: gimme

(component
  (import "gimme" (func))
  (instance $p)
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
