"""How capital is allocated to the engines: regime, weights, and the moves of one day (OR-1, OR-2, OR-4, OR-5).

Pure decisions on closes and equity; how a move is carried out is in `orchestration.transfers`.
"""
