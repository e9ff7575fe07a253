// Buttons for the Explorer that is built into Orthanc: it runs this at its end (jQuery Mobile).
(function () {
  const APP = '../stl/app/';
  const MODELS = ['M3D'];
  const SOURCES = ['RTSTRUCT', 'SEG', 'CT', 'MR', 'PT', 'NM', 'XA', 'OT'];
  const NO_IMAGES = ['M3D', 'RTSTRUCT', 'SEG', 'RTPLAN', 'RTDOSE', 'RTRECORD', 'REG', 'SR', 'PR', 'KO', 'DOC', 'AU', 'ECG', 'HD', 'FID', 'PLAN'];
  const isSource = (modality) => SOURCES.includes(modality);
  const isModel = (modality) => MODELS.includes(modality);
  const isImage = (modality) => !NO_IMAGES.includes(modality);

  // By level: what a button opens, its text, its icon, and on which modalities it makes sense.
  const BUTTONS = {
    study: [
      ['create.html', 'button.create', 'plus', () => true],
      ['viewer.html', 'button.view', 'search', isModel],
      ['mirador.html', 'button.mirador', 'grid', isImage],
      ['iiif.html', 'button.manifest', 'info', isImage],
    ],
    series: [
      ['create.html', 'button.create', 'plus', isSource],
      ['viewer.html', 'button.view', 'search', isModel],
      ['zoom.html', 'button.zoom', 'search', isImage],
      ['mirador.html', 'button.mirador', 'grid', isImage],
      ['iiif.html', 'button.manifest', 'info', isImage],
    ],
    instance: [
      ['viewer.html', 'button.view', 'search', isModel],
      ['zoom.html', 'button.zoom', 'search', isImage],
    ],
  };

  const shownId = () => $.mobile.pageData && $.mobile.pageData.uuid;

  function addButtons(level) {
    const list = $('<ul>').attr({ 'data-role': 'listview', 'data-inset': 'true', 'data-theme': 'd', 'data-divider-theme': 'c', id: 'stl-buttons-' + level });
    list.append($('<li>').attr('data-role', 'list-divider').text('3D, IIIF'));
    BUTTONS[level].forEach(([page, key, icon]) => {
      const link = $('<a>').attr({ href: '#', target: '_blank', rel: 'external', 'data-key': key, 'data-page': page });
      list.append($('<li>').attr('data-icon', icon).append(link));
    });
    $('#' + level + '-delete').closest('ul').after(list);
  }

  function modalitiesOf(level, id, then) {
    if (level === 'study') {
      $.getJSON('../studies/' + id + '/series', (all) => then(all.map((one) => one.MainDicomTags.Modality)));
    } else {
      const series = level === 'series' ? '../series/' + id : '../instances/' + id + '/series';
      $.getJSON(series, (one) => then([one.MainDicomTags.Modality]));
    }
  }

  function showButtons(level) {
    const id = shownId();
    const list = $('#stl-buttons-' + level);
    list.hide();
    if (!id) return;
    withTexts((texts) => modalitiesOf(level, id, (modalities) => {
      if (shownId() !== id) return; // another page is shown by now
      let shown = 0;
      BUTTONS[level].forEach(([page, key, , isMeant]) => {
        const link = list.find('a[data-key="' + key + '"]').text(texts[key]);
        link.attr('href', APP + page + '?' + level + '=' + encodeURIComponent(id) + '&from=legacy');
        const isShown = modalities.some(isMeant);
        link.closest('li').toggle(isShown);
        shown += isShown;
      });
      list.toggle(shown > 0);
    }));
  }

  let reading;
  function withTexts(then) {
    const language = (navigator.language || 'en').slice(0, 2) === 'fr' ? 'fr' : 'en';
    reading = reading || $.ajax({ url: APP + 'texts/' + language + '.json', dataType: 'json' });
    reading.done(then);
  }

  // The page of a job tells its progress once, as a number: a bar shows it for as long as the job goes on.
  const GOES_ON = ['Pending', 'Running', 'Paused', 'Retry'];
  const LOOK_MS = 500;
  let looks = 0;

  function addBar() {
    const bar = $('<progress>').attr('max', 100).css('width', '100%');
    $('#job-info').closest('[data-role=content]').prepend($('<div>').attr('id', 'stl-job-progress').append(bar, $('<p>')).hide());
  }

  function watchJob(wasGoingOn) {
    const look = (looks += 1);
    const id = shownId();
    if (!wasGoingOn) $('#stl-job-progress').hide();
    if (!id) return;
    $.ajax({ url: '../jobs/' + encodeURIComponent(id), dataType: 'json', cache: false }).done((job) => {
      if (look !== looks) return; // another page is shown by now
      const goesOn = GOES_ON.includes(job.State);
      const stage = job.State === 'Running' && job.Content && job.Content.Stage;
      $('#stl-job-progress').toggle(goesOn).find('progress').val(job.Progress);
      withTexts((texts) => {
        $('#stl-job-progress progress').attr('aria-label', texts['progress']);
        $('#stl-job-progress p').text(job.Progress + ' %: ' + (texts['stage.' + stage] || texts['state.' + job.State] || job.State));
      });
      if (goesOn) setTimeout(() => look === looks && watchJob(true), LOOK_MS);
      else if (wasGoingOn) $('#job').trigger('pagebeforeshow'); // Orthanc's own facts of it, once more
    });
  }

  $('#job').live('pagebeforecreate', addBar);
  $('#job').live('pagebeforeshow', () => watchJob(false));
  $('#job').live('pagehide', () => { looks += 1; });

  Object.keys(BUTTONS).forEach((level) => {
    $('#' + level).live('pagebeforecreate', () => addButtons(level));
    $('#' + level).live('pagebeforeshow', () => showButtons(level));
  });
})();
