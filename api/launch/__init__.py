"""The launch: what the actors stand on, each part started and guarded on a thread of its own.

The launch itself never joins Ray: Ray ends every process of its own when its control store dies, and what guards it
must outlive that. Only the `ray_driver` child imports Ray.
"""
