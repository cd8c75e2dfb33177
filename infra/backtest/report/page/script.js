(function () {
  var bundle = JSON.parse(document.getElementById('charts').textContent);
  var narrow = window.matchMedia('(max-width: 640px)').matches;
  function draw(box) {
    var chart = bundle.charts[box.dataset.chart];
    chart.data.forEach(function (trace) { if (trace.x === '@days') { trace.x = bundle.days; } });
    chart.layout.height = narrow ? Math.min(chart.layout.height, chart.narrow) : chart.layout.height;
    if (narrow) {
      ['xaxis', 'yaxis', 'yaxis2'].forEach(function (axis) { if (chart.layout[axis]) { chart.layout[axis].nticks = 5; } });
    }
    Plotly.newPlot(box, chart.data, chart.layout, {responsive: true, displaylogo: false, displayModeBar: !narrow && 'hover',
      modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d']});
  }
  var waiting = window.IntersectionObserver ? new IntersectionObserver(function (seen) {
    seen.forEach(function (one) { if (one.isIntersecting) { waiting.unobserve(one.target); draw(one.target); } });
  }, {rootMargin: '1200px'}) : null;
  document.querySelectorAll('.chart').forEach(function (box) { if (waiting) { waiting.observe(box); } else { draw(box); } });
  window.addEventListener('beforeprint', function () {
    document.querySelectorAll('.chart').forEach(function (box) { if (!box.data) { draw(box); } });
  });
  document.addEventListener('click', function (event) {
    var button = event.target.closest('button');
    if (!button) { return; }
    var box = document.getElementById(button.dataset.box);
    if (!box || !box.data) { return; }
    if (button.dataset.group) {
      var off = button.classList.toggle('off');
      var places = [];
      box.data.forEach(function (trace, place) { if (trace.legendgroup === button.dataset.group) { places.push(place); } });
      Plotly.restyle(box, {visible: !off}, places);
    } else if (button.dataset.update) {
      var update = JSON.parse(button.dataset.update);
      button.parentNode.querySelectorAll('button').forEach(function (each) { each.classList.toggle('on', each === button); });
      Plotly.update(box, update.data || {}, update.layout || {});
    }
  });
  document.querySelectorAll('select[data-heat]').forEach(function (select) {
    select.addEventListener('change', function () {
      document.querySelectorAll('[data-series]').forEach(function (table) { table.hidden = table.dataset.series !== select.value; });
    });
  });
})();
