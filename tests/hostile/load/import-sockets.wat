;; It wants sockets.
;; is: refused
;; says: evil:net/sockets

(component
  (import "evil:net/sockets@0.1.0" (instance (export "connect" (func))))
  (instance $p)
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
